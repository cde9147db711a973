import Basics
import Foundation
import Journal

/// Writes the journal page by page, so that memory stays bounded on both sides.
struct JournalExport {
    private let client: Client
    private let format: JournalFormat
    private let type: String?
    private let after: Int
    private let out: String?
    private static let pageLines = 5000

    init(_ arguments: Arguments, _ client: Client, _ context: Context) throws {
        self.client = client
        let name = arguments.option("format") ?? JournalFormat.jsonl.rawValue
        guard let format = JournalFormat(rawValue: name) else {
            throw UsageError("'--format' must be \(JournalFormat.allCases.map(\.rawValue).joined(separator: " or "))")
        }
        self.format = format
        type = arguments.option("type")
        after = try arguments.integer("after", default: 0, in: 0...Int.max)
        out = arguments.option("out").map(context.absolute)
        if out == nil, arguments.flag("json") {
            throw UsageError("'--json' tells of the file that was written", remedy: "Give '--out FILE' too.")
        }
    }

    func run() async throws -> Output {
        guard let out else {
            let count = try await pages { bytes in FileHandle.standardOutput.write(Data(bytes)) }
            // The lines are the output; how many they were is for the person beside it.
            FileHandle.standardError.write(Data("\(count) entries\n".utf8))
            return Output(document: .null, text: "")
        }
        let staged = "\(out).partial"
        let thread = BlockingThread(name: "journal.export")
        do {
            let file = try await thread.run { try Self.create(staged, for: out) }
            let count = try await pages { bytes in try await thread.run { try file.write(contentsOf: Data(bytes)) } }
            try await thread.run {
                try file.synchronize()
                try file.close()
                guard rename(staged, out) == 0 else { throw Self.failure(out) }
            }
            return Output(
                document: ["entries": .integer(count), "file": .string(out), "format": .string(format.rawValue)],
                text: "\(count) entries in \(out).")
        } catch {
            unlink(staged)
            throw error is any Failure ? error : Self.failure(out)
        }
    }

    /// - Returns: how many lines were written.
    private func pages(_ write: ([UInt8]) async throws -> Void) async throws -> Int64 {
        var (total, last) = (Int64(0), Int64(after))
        while true {
            let bytes = try await client.bytes(
                "/journal/export",
                [
                    ("format", format.rawValue), ("after", "\(last)"), ("limit", "\(Self.pageLines)"), ("type", type),
                ])
            let lines = bytes.split(separator: UInt8(ascii: "\n"))
            guard let line = lines.last else { return total }
            try await write(bytes)
            total += Int64(lines.count)
            if lines.count < Self.pageLines { return total }
            last = try sequence(of: line)
        }
    }

    private func sequence(of line: ArraySlice<UInt8>) throws -> Int64 {
        let document = try JSON.decode(JSONValue.self, from: line)
        let number = document["sequence"]?.integer ?? document["sequence"]?.string.flatMap { Int64($0) }
        guard let number else { throw CommandFailure(.internal, "an exported line has no sequence") }
        return number
    }

    private static func create(_ path: String, for out: String) throws -> FileHandle {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(out) }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    private static func failure(_ path: String) -> CommandFailure {
        CommandFailure(
            .unavailable, "the journal can not be written to '\(path)': \(String(cString: strerror(errno)))",
            remedy: "Check that its folder exists, may be written and has room.")
    }
}
