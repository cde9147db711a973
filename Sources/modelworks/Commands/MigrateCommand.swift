import Basics
import Foundation
import Synchronization
import Works

struct MigrateCommand: Command {
    let usage = Usage(
        name: "migrate", summary: "Copy what is stored to other stores, and compare both sides",
        options: [
            .init(name: "from", value: "PLACE", help: "a store's address, a root, or a factory directory"),
            .init(name: "to", value: "PLACE", help: "the same; nothing may work on either side meanwhile"),
        ],
        example: "modelworks migrate --from sqlite:///var/lib/works/works.db --to postgresql://works@db/factory")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        func place(_ name: String) throws -> MovePlace {
            guard let text = arguments.option(name) else { throw UsageError("'--\(name)' is needed") }
            return try MovePlace(text, root: context.root(arguments), context)
        }
        let (from, to) = (try place("from"), try place("to"))
        let bars = MoveBars(Screen(json: arguments.flag("json"), environment: context.environment))
        defer { bars.end() }
        let outcomes = try await StoreMove(context.works(arguments), progress: { bars.show($0, $1, $2) })
            .run(from: from.urls, to: to.urls)
        var table = TextTable(["moved", "entries", "digest"])
        for outcome in outcomes { table.add([outcome.part, "\(outcome.entries)", outcome.digest.short]) }
        return Output(
            document: try JSON.value(outcomes),
            text: "\(table.rendered())\nBoth sides are the same. Name the new stores in works.yaml and start again.")
    }
}

/// One side of a move.
private struct MovePlace {
    var urls: [StoreAddresses.Store: StoreURL]

    /// - Parameter text: `scheme:…` for one store; a folder with a `works.yaml` for the stores it names; else a root for
    ///   the stores it remembers.
    init(_ text: String, root: String, _ context: Context) throws {
        let folder = context.absolute(text)
        let manifest = "\(folder)/works.yaml"
        if let data = FileManager.default.contents(atPath: manifest) {
            let addresses = try StoreAddresses(manifest: String(decoding: data, as: UTF8.self))
            urls = try addresses.resolved(root: root, environment: context.environment)
        } else if FileManager.default.fileExists(atPath: folder) {
            urls = try StoreAddresses(rememberedBy: folder).resolved(root: folder, environment: context.environment)
        } else {
            let url = try StoreURL(text, secrets: SecretSource(environment: context.environment)).rooted(at: root)
            guard let store = StoreAddresses.Store(scheme: url.scheme) else {
                throw CommandFailure(
                    .invalidArgument, "'\(url)' is neither a folder nor the address of a store that can be moved",
                    remedy: "Give sqlite:, postgresql://, file:, s3://, lmdb: or redis:// addresses.")
            }
            urls = [store: url]
        }
    }
}

/// Shows how far a move is, with a bar for each part.
private final class MoveBars: Sendable {
    private let screen: Screen
    private let present = Mutex<(part: String, bar: ProgressBar?)>(("", nil))

    init(_ screen: Screen) { self.screen = screen }

    func show(_ part: String, _ done: Int64, _ total: Int64?) {
        let bar = present.withLock { present in
            if present.part != part {
                present.bar?.finish()
                present = (part, screen.bar(part, total: total.map { Int(clamping: $0) }, unit: ""))
            }
            return present.bar
        }
        bar?.set(Int(clamping: done))
    }

    func end() { present.withLock { $0.bar?.finish() } }
}
