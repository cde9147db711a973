import Basics
import Datasets
import Foundation

struct DataCommand: WordedCommand {
    let usage = Usage(
        name: "data", summary: "Ingest tables; show, compare and check out dataset versions",
        positionals: [
            "[list|ingest|versions|show|diff|checkout|dvc|validate|quarantine|expectations]",
            "[TABLE[@VERSION]|add|status|import|export]", "[TABLE@VERSION|PATH|SUITE]",
        ],
        options: [
            .init(name: "to", value: "DIR", help: "checkout: the folder the Parquet file is written to (default: .)")
        ] + ExpectationWords.options,
        example: "modelworks data diff flights@1 flights@2")

    private static let table = Listing(
        "/data",
        [
            "table": "table", "version": "number", "digest": "digest", "rows": "rows", "quarantined": "quarantined",
            "from": "range.from", "to": "range.to", "published": "created",
        ], empty: "No datasets yet.")

    private static let expectations = Listing(
        "/data",
        [
            "expectation": "name", "severity": "severity", "rows": "rows", "failing": "failing", "example": "example",
        ], empty: "No expectations.")

    private static let sources = Listing(
        "/data", ["file": "path", "bytes": "bytes", "content": "digest"], empty: "No files.")

    var words: [Word] {
        [
            .list(Self.table),
            Word("ingest") { arguments, client in
                struct Body: Encodable { var tables: [String]? }
                return Self.table.show(
                    try await client.post("/data/ingest", Body(tables: arguments.positional(1).map { [$0] })))
            },
            Word("versions", needs: "TABLE") { arguments, client in
                Self.table.show(try await client.get("/data/\(Client.escape(arguments.required(1)))"))
            },
            Word("show", needs: "TABLE") { try await show($0, $1) },
            Word("diff", needs: "TABLE") { try await diff($0, $1) },
            Word("checkout", needs: "TABLE") { arguments, client, context in
                try await DatasetCheckout(arguments, client, context).run()
            },
        ] + ExpectationWords.all
    }

    /// What concerns files of this machine alone is done without opening a factory.
    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        guard arguments.positional(0) == "dvc" else { return try await runWithClient(arguments, context) }
        return try await DVCCommand(context).run(arguments)
    }

    private func show(_ arguments: Arguments, _ client: Client) async throws -> Output {
        let reference = try DatasetReference(arguments.required(1))
        let document = try await client.get(reference.path("version"), [("version", reference.version)])
        func cell(_ path: String) -> String { (document.at(path) ?? .null).cell }
        let text = """
            \(Self.table.text(.array([document])))

            Made from \(cell("lineage.kind")) \(cell("lineage.place")), \(cell("lineage.fileCount")) files.
            \(Self.sources.text(document.at("lineage.files") ?? .array([])))

            \(Self.expectations.text(document["results"] ?? .array([])))
            """
        return Output(document: document, text: text)
    }

    private func diff(_ arguments: Arguments, _ client: Client) async throws -> Output {
        let first = try DatasetReference(arguments.required(1))
        let second = try arguments.positional(2).map { try DatasetReference($0) }
        guard second == nil || second?.table == first.table else {
            throw UsageError("'diff' compares two versions of one table", remedy: "Write TABLE@1 TABLE@2.")
        }
        var from = first.version
        if second == nil, from == nil {
            // Without versions, what the newest changed.
            let versions = try await client.get("/data/\(Client.escape(first.table))").array ?? []
            guard versions.count > 1, let before = versions.dropFirst().first?["number"]?.integer else {
                throw UsageError("'\(first.table)' has no two versions to compare")
            }
            from = "\(before)"
        }
        let document = try await client.get(first.path("diff"), [("from", from), ("to", second?.version)])
        func cell(_ path: String) -> String { (document.at(path) ?? .null).cell }
        var lines = [
            "\(first.table)@\(cell("from.number")) has \(cell("from.rows")) rows, "
                + "@\(cell("to.number")) has \(cell("to.rows")).",
            "\(cell("added")) added, \(cell("removed")) removed, \(cell("changed")) changed, by "
                + ((document["key"]?.array ?? []).isEmpty ? "whole rows." : cell("key") + "."),
        ]
        for column in document["columns"]?.array ?? [] {
            lines.append(
                "Column \(column["name"]?.cell ?? ""): \(column["before"]?.cell ?? "–") -> "
                    + "\(column["after"]?.cell ?? "–")")
        }
        for (name, count) in (document["changesByColumn"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
            lines.append("Changed in \(name): \(count.cell)")
        }
        for example in document["examples"]?.array ?? [] {
            let sides = [example["before"], example["after"]].compactMap { $0 }.map(\.cell)
            lines.append("\(example["kind"]?.cell ?? ""): \(sides.joined(separator: " -> "))")
        }
        return Output(document: document, text: lines.joined(separator: "\n"))
    }
}

extension DatasetReference {
    /// What stands after the `@`.
    var version: String? {
        switch selector {
        case .latest: nil
        case .number(let number): "\(number)"
        case .digest(let digits): digits
        }
    }

    /// The path of the API that tells something of the table's versions.
    func path(_ what: String) -> String { "/data/\(Client.escape(table))/\(what)" }
}

/// Writes the Parquet file of a version, piece by piece, and proves it by its digest.
struct DatasetCheckout {
    private let reference: DatasetReference
    private let client: Client
    private let folder: String
    private static let pieceBytes = 4 << 20

    init(_ arguments: Arguments, _ client: Client, _ context: Context) throws {
        reference = try DatasetReference(arguments.required(1))
        self.client = client
        folder = context.absolute(arguments.option("to") ?? ".")
    }

    func run() async throws -> Output {
        let version = try await client.get(
            reference.path("version"), [("version", reference.version)], as: DatasetVersion.self)
        let path = "\(folder)/\(version.table).parquet"
        let staged = "\(path).partial"
        let thread = BlockingThread(name: "data.checkout")
        do {
            let folder = folder
            let file = try await thread.run { try Self.create(staged, in: folder) }
            var builder = Digest.Builder()
            var offset = 0
            while true {
                let bytes = try await client.bytes(
                    reference.path("rows"),
                    [("version", version.digest.hex), ("offset", "\(offset)"), ("count", "\(Self.pieceBytes)")])
                guard !bytes.isEmpty else { break }
                builder.update(bytes)
                try await thread.run { try file.write(contentsOf: Data(bytes)) }
                offset += bytes.count
            }
            let digest = builder.finish()
            guard digest == version.digest else {
                throw CommandFailure(
                    .dataLoss, "what was received of \(reference) is not what it is named by",
                    remedy: "Try again; if it stays so, run 'modelworks doctor'.")
            }
            try await thread.run {
                try file.synchronize()
                try file.close()
                guard rename(staged, path) == 0 else { throw Self.failure(path) }
            }
            return Output(
                document: [
                    "table": .string(version.table), "number": .integer(version.number),
                    "digest": .string(version.digest.description), "file": .string(path),
                    "bytes": .integer(Int64(offset)),
                ],
                text: "\(version.table)@\(version.number) is in \(path), \(offset) bytes.")
        } catch {
            unlink(staged)
            throw error is any Failure ? error : Self.failure(path)
        }
    }

    private static func create(_ path: String, in folder: String) throws -> FileHandle {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(
            .unavailable, "'\(path)' can not be written: \(String(cString: strerror(errno)))",
            remedy: "Check that its folder may be written and has room.")
    }
}

/// `modelworks data dvc add|status PATH`.
struct DVCCommand {
    private let context: Context

    init(_ context: Context) { self.context = context }

    func run(_ arguments: Arguments) async throws -> Output {
        guard let word = arguments.positional(1), ["add", "status"].contains(word), let given = arguments.positional(2)
        else {
            throw UsageError("'modelworks data dvc' needs add or status, and a PATH")
        }
        let path = context.absolute(given)
        if word == "add" {
            let output = try await DVCWorkspace().add(path).output
            return Output(
                document: try JSON.value(output),
                text: "\(given).dvc says md5 \(output.hash), \(output.size) bytes"
                    + (output.fileCount.map { " in \($0) files." } ?? "."))
        }
        let status = try await DVCWorkspace().status(path)
        let changes =
            status.added.map { "added: \($0)" } + status.modified.map { "modified: \($0)" }
            + status.removed.map { "removed: \($0)" }
        let summary =
            status.isUnchanged
            ? "\(given) is what \(given).dvc says."
            : "\(given) is not what \(given).dvc says: md5 \(status.found) in place of \(status.expected)."
        return Output(
            document: try JSON.value(status), text: ([summary] + changes).joined(separator: "\n"),
            good: status.isUnchanged)
    }
}
