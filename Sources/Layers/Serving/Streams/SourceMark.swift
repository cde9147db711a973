import Streams

/// Where an output came from, as it travels in a header of the output. It is what makes an answer appear once also where a
/// broker does not keep a transaction together: who takes a partition over reads the newest marks and leaves out what is
/// there.
struct SourceMark: Hashable, Sendable {
    /// The name of the header.
    static let header = "modelworks-source"

    var scorer: String
    var topic: String
    var partition: Int
    var offset: Int64
    /// The offset of the first event of its partition that was scored together with it. All before it was finished by then.
    var base: Int64

    init(scorer: String, topic: String, partition: Int, offset: Int64, base: Int64) {
        self.scorer = scorer
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.base = base
    }

    /// The mark of an output; nil where it has none that can be read.
    init?(_ record: StreamRecord) {
        guard let header = record.headers.last(where: { $0.name == Self.header }) else { return nil }
        // The scorer's name stands last, for it alone may hold a slash.
        let parts = String(decoding: header.value, as: UTF8.self)
            .split(separator: "/", maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 5, let partition = Int(parts[1]), let offset = Int64(parts[2]),
            let base = Int64(parts[3])
        else { return nil }
        self.init(
            scorer: String(parts[4]), topic: String(parts[0]), partition: partition, offset: offset, base: base)
    }

    /// The mark as a header.
    var encoded: StreamRecord.Header {
        StreamRecord.Header(Self.header, Array("\(topic)/\(partition)/\(offset)/\(base)/\(scorer)".utf8))
    }
}
