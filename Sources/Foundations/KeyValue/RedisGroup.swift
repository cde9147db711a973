import Basics

/// What a change does to the keys of one slot: at most one thing for each key, so the order among them does not matter.
struct RedisGroup {
    private enum Command {
        case delete(Range<Int>)
        case put(Range<Int>)
    }

    let slot: Int
    private var deletes: [[UInt8]] = []
    private var puts: [(key: [UInt8], value: [UInt8])] = []
    private var commands: [Command] = []

    private static let keysInCommand = 1000
    private static let bytesInCommand = 512 << 10
    /// Bytes added before they are sent.
    private static let bytesInChunk = 1 << 20

    init(slot: Int) { self.slot = slot }

    /// Sets a key, or deletes it where `value` is nil.
    mutating func add(_ key: [UInt8], _ value: [UInt8]?) {
        if let value {
            puts.append((key, value))
        } else {
            deletes.append(key)
        }
    }

    /// Cuts the keys into commands; called once when all keys are there.
    mutating func finish() {
        commands =
            Self.ranges(deletes.count) { deletes[$0].count }.map { .delete($0) }
            + Self.ranges(puts.count) { puts[$0].key.count + puts[$0].value.count }.map { .put($0) }
    }

    /// Whether several commands must be made one.
    var needsTransaction: Bool { commands.count > 1 }

    /// How many replies its commands have.
    func replies(inTransaction: Bool) -> Int { commands.count + (inTransaction ? 2 : 0) }

    /// Adds the commands, sending all but the last ones.
    func add(to connection: RedisConnection, inTransaction: Bool, deadline: UInt64) throws {
        if inTransaction {
            try connection.begin(1)
            try connection.word("MULTI")
        }
        for command in commands {
            switch command {
            case .delete(let range):
                try connection.begin(range.count + 1)
                try connection.word("UNLINK")
                for key in deletes[range] { try connection.word(key) }
            case .put(let range):
                try connection.begin(range.count * 2 + 1)
                try connection.word(range.count == 1 ? "SET" : "MSET")
                for (key, value) in puts[range] {
                    try connection.word(key)
                    try connection.word(value)
                }
            }
            if connection.pending > Self.bytesInChunk { try connection.send(deadline) }
        }
        if inTransaction {
            try connection.begin(1)
            try connection.word("EXEC")
        }
    }

    /// Looks for an error among the replies of a transaction.
    static func failure(in reply: RedisReply) -> String? {
        (0..<reply.count).lazy.compactMap { reply[$0]?.error }.first
    }

    private static func ranges(_ count: Int, bytes: (Int) -> Int) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var total = 0
        for index in 0..<count {
            let size = bytes(index)
            if index > start, index - start == keysInCommand || total + size > bytesInCommand {
                ranges.append(start..<index)
                start = index
                total = 0
            }
            total += size
        }
        if start < count { ranges.append(start..<count) }
        return ranges
    }
}
