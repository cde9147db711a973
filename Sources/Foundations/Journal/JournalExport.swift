import Basics
import SQL

/// A form that entries are exported in, one a line.
public enum JournalFormat: String, Sendable, CaseIterable {
    /// JSON lines with the fields as they are hashed.
    case jsonl
    /// CloudEvents 1.0 in JSON, structured mode.
    case cloudevents

    /// The media type of a file of it.
    public var contentType: String { "application/x-ndjson" }
}

extension Journal {
    /// Some entries in a form for export.
    public struct Page: Sendable {
        /// Whole lines.
        public let bytes: [UInt8]
        /// How many lines.
        public let count: Int
        /// The sequence of the last entry; the one asked after where there is none.
        public let last: Int64
    }

    /// The next entries in a form for export.
    /// - Parameters:
    ///   - sequence: 0 starts at the beginning.
    ///   - limit: at most this many, at least 1.
    ///   - type: only entries of this type.
    /// - Throws: `JournalFailure.damaged` where an entry is missing.
    public func page(
        _ format: JournalFormat = .jsonl, after sequence: Int64 = 0, limit: Int = 1000, type: String? = nil
    ) async throws -> Page {
        try await database.read { transaction in
            let entries = try Journal.entries(in: transaction, after: sequence, limit: limit, type: type)
            var bytes: [UInt8] = []
            var last = sequence
            for entry in entries {
                if type == nil, entry.sequence != last + 1 {
                    throw JournalFailure.damaged(sequence: last + 1, reason: "it is missing")
                }
                last = entry.sequence
                switch format {
                case .jsonl: bytes.append(contentsOf: try entry.line().utf8)
                case .cloudevents: bytes.append(contentsOf: try entry.cloudEvent().utf8)
                }
            }
            if entries.count < limit, type == nil {
                let head = try Journal.end(in: transaction).sequence
                if last < head { throw JournalFailure.damaged(sequence: last + 1, reason: "it is missing") }
            }
            return Page(bytes: bytes, count: entries.count, last: last)
        }
    }

    /// Writes the journal, oldest entry first, in bounded memory, up to its end as it is when that is reached.
    /// - Parameters:
    ///   - format: the form of the lines.
    ///   - sequence: only entries after this one.
    ///   - type: only entries of this type.
    ///   - write: takes each piece of whole lines; must not block its thread.
    /// - Returns: how many entries were written.
    @discardableResult
    public func export(
        _ format: JournalFormat = .jsonl, after sequence: Int64 = 0, type: String? = nil,
        to write: @Sendable ([UInt8]) async throws -> Void
    ) async throws -> Int64 {
        let limit = 1000
        var (last, total) = (sequence, Int64(0))
        while true {
            let page = try await page(format, after: last, limit: limit, type: type)
            if page.count > 0 { try await write(page.bytes) }
            total += Int64(page.count)
            last = page.last
            if page.count < limit { return total }
        }
    }
}

extension JournalEntry {
    /// One line with this entry as an event of CloudEvents 1.0 (JSON format, structured mode).
    ///
    /// `id` is the sequence, `source` is `urn:modelworks:journal`, `type` is the entry's own behind `modelworks.`. The
    /// extension `sequence` is that of the Sequence extension, as 20 digits so that it also sorts as text; `principal`,
    /// `hash` and `previoushash` are the fields of the chain.
    public func cloudEvent() throws -> String {
        let number = "\(sequence)"
        let padded = String(repeating: "0", count: max(0, 20 - number.count)) + number
        var parts = ["\"specversion\":\"1.0\"", "\"id\":\"\(number)\"", "\"source\":\"urn:modelworks:journal\""]
        parts.append("\"type\":\(try JSON.string("modelworks.\(type)"))")
        // The specification wants an attribute left out rather than empty.
        if !subject.isEmpty { parts.append("\"subject\":\(try JSON.string(subject))") }
        parts += [
            "\"time\":\"\(time)\"", "\"datacontenttype\":\"application/json\"", "\"sequence\":\"\(padded)\"",
            "\"principal\":\(try JSON.string(principal))", "\"hash\":\"\(hash.hex)\"",
            "\"previoushash\":\"\(previousHash.hex)\"", "\"data\":\(bodyText)",
        ]
        return "{\(parts.joined(separator: ","))}\n"
    }
}
