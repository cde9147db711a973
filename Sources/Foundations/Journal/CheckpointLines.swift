import Basics

/// Checkpoints as an anchor file holds them: one a line, as JSON.
extension Checkpoint {
    /// Reads all lines. One without its closing brace was cut short and is passed over.
    /// - Throws: `JournalFailure.anchor` naming `place` where another line is no checkpoint.
    static func lines(_ bytes: ArraySlice<UInt8>, place: String) throws -> [Checkpoint] {
        try wholeLines(bytes).map { try Checkpoint(line: $0, place: place) }
    }

    // A checkpoint has no braces but its own, so only a whole line ends with one.
    static func wholeLines(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "\n")).filter { $0.last == UInt8(ascii: "}") }
    }

    init(line: ArraySlice<UInt8>, place: String) throws {
        do { self = try JSON.decode(Checkpoint.self, from: line) } catch {
            throw JournalFailure.anchor(place: place, reason: "a line is no checkpoint: \(error)")
        }
    }
}

/// Checkpoints that someone brings to compare a journal with: an auditor's copy of an anchor.
public struct CopiedAnchor: JournalAnchor {
    public let place: String
    private let checkpoints: [Checkpoint]

    /// - Parameter checkpoints: in any order.
    public init(_ checkpoints: [Checkpoint], place: String) {
        self.checkpoints = checkpoints.sorted { $0.sequence < $1.sequence }
        self.place = place
    }

    /// Reads the content of an anchor file, or of an anchor's document.
    /// - Throws: `JournalFailure.anchor` where it holds no checkpoint or something else.
    public init(reading bytes: [UInt8], place: String) throws {
        let checkpoints = try Checkpoint.lines(bytes[...], place: place)
        guard !checkpoints.isEmpty else { throw JournalFailure.anchor(place: place, reason: "it holds no checkpoint") }
        self.init(checkpoints, place: place)
    }

    /// A copy is only read.
    /// - Throws: `JournalFailure.anchor`.
    public func store(_ checkpoint: Checkpoint) async throws {
        throw JournalFailure.anchor(place: place, reason: "it is a copy, which is only read")
    }

    public func latest() async throws -> Checkpoint? { checkpoints.last }

    public func history() async throws -> [Checkpoint] { checkpoints }
}
