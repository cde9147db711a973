import Basics
import Foundation
import HTTP
import Journal
import Sealing
import Works
import WorksAPI

struct JournalCommand: WordedCommand {
    let usage = Usage(
        name: "journal", summary: "Show, verify, sign or export the journal",
        positionals: ["[list|verify|checkpoint|export]"],
        options: [
            .init(name: "after", value: "N", help: "list, export: entries after this sequence"),
            .init(name: "limit", value: "N", help: "list: at most this many (default 100)"),
            .init(name: "type", value: "TYPE", help: "list, export: only entries of this type"),
            .init(name: "format", value: "FORMAT", help: "export: jsonl (default) or cloudevents"),
            .init(name: "out", value: "FILE", help: "export: into a file, in place of standard output"),
            .init(name: "anchor", value: "FILE|URL", help: "verify: a copy of the anchor, in place of the factory's"),
            .init(name: "key", value: "FILE", help: "verify: public keys, in place of the factory's"),
        ], example: "modelworks journal verify --anchor /mnt/audit/journal.jsonl --key auditor.pub")

    private static let table = Listing(
        "/journal", ["#": "sequence", "time": "time", "who": "principal", "what": "type", "subject": "subject"],
        empty: "The journal is empty.")

    var words: [Word] {
        [
            .list(Self.table, query: [("after", "after"), ("limit", "limit"), ("type", "type")]),
            Word("verify") { try await verify($0, $1, $2) },
            Word("checkpoint") { try await checkpoint($1) },
            Word("export") { try await JournalExport($0, $1, $2).run() },
        ]
    }

    private func verify(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        var wanted = WorksAPI.VerificationRequest()
        if let place = arguments.option("anchor") {
            let copy = try await AnchorCopy(place, context).read()
            wanted.checkpoints = Self.thinned(copy.checkpoints)
            wanted.place = copy.place
        }
        if let path = arguments.option("key").map(context.absolute) {
            let keys = try await BlockingThread(name: "journal.key").run { try SigningKeyring(file: path) }
            wanted.keys = keys.verifyingKeys.map(\.description)
        }
        let document = try await client.post("/journal/verify", wanted)
        return Output(
            document: document, text: document["summary"]?.string ?? "", good: document["intact"]?.bool == true)
    }

    /// The last, and as many of those before as fit into a request: they only tell more exactly where a fork begins.
    private static func thinned(_ checkpoints: [Checkpoint]) -> [Checkpoint] {
        let step = checkpoints.count / 5000 + 1
        return checkpoints.enumerated().filter { (checkpoints.count - 1 - $0.offset) % step == 0 }.map(\.element)
    }

    private func checkpoint(_ client: Client) async throws -> Output {
        let document = try await client.post("/journal/checkpoint", [String: String]())
        let sequence = document.at("checkpoint.sequence")
        return Output(
            document: document,
            text: sequence.map { "Signed up to entry \($0.cell) and anchored in \(document["anchor"]?.cell ?? "")." }
                ?? "The journal is empty: there is nothing to sign.")
    }
}

/// A copy of an anchor, in a file or behind a web address.
private struct AnchorCopy {
    private let text: String
    private let context: Context
    private static let seconds = 30.0

    init(_ text: String, _ context: Context) {
        self.text = text
        self.context = context
    }

    func read() async throws -> (checkpoints: [Checkpoint], place: String) {
        guard let colon = text.firstRange(of: "://"), let parts = URLComponents(string: text) else {
            return try await read(file: context.absolute(text))
        }
        switch text[..<colon.lowerBound] {
        case "file":
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: parts.path, isDirectory: &isFolder), isFolder.boolValue else {
                return try await read(file: parts.path)
            }
            return try await readStore()
        case "s3": return try await readStore()
        case "http", "https":
            // What stands behind the question mark may be a secret: it is sent, never shown.
            let host = (parts.host ?? "") + (parts.port.map { ":\($0)" } ?? "")
            let base = "\(parts.scheme ?? "")://\(host)"
            let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
            let target = path + (parts.percentEncodedQuery.map { "?\($0)" } ?? "")
            let answer = try await HTTPClient(baseURL: base, connections: 1, timeout: Self.seconds).get(target)
            guard answer.status.code == 200 else {
                throw JournalFailure.anchor(place: "'\(base)\(path)'", reason: "it answered \(answer.status.code)")
            }
            return try await Self.whole(
                try CopiedAnchor(reading: try await answer.collect(), place: "'\(base)\(path)'"))
        case let scheme:
            throw UsageError(
                "an anchor can not be read by '\(scheme)'",
                remedy: "Give a file, or an address of file, http, https or s3."
            )
        }
    }

    /// The anchor among the documents of an object store.
    private func readStore() async throws -> (checkpoints: [Checkpoint], place: String) {
        let url = try StoreURL(text, secrets: SecretSource(environment: context.environment))
        let place = try await AnchorPlace.open(url, environment: context.environment)
        let result: Result<(checkpoints: [Checkpoint], place: String), any Error>
        do { result = .success(try await Self.whole(place.anchor)) } catch { result = .failure(error) }
        await place.close()
        return try result.get()
    }

    private static func whole(_ anchor: any JournalAnchor) async throws -> (checkpoints: [Checkpoint], place: String) {
        let checkpoints = try await anchor.history()
        guard !checkpoints.isEmpty else {
            throw JournalFailure.anchor(place: anchor.place, reason: "it holds no checkpoint")
        }
        return (checkpoints, anchor.place)
    }

    private func read(file path: String) async throws -> (checkpoints: [Checkpoint], place: String) {
        let data = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: FileManager.default.contents(atPath: path)) }
        }
        guard let data else { throw JournalFailure.anchor(place: "'\(path)'", reason: "it can not be read") }
        return try await Self.whole(try CopiedAnchor(reading: [UInt8](data), place: "'\(path)'"))
    }
}
