import Synchronization

/// Where whoever answers a request says how it was answered. There is one only where somebody is told of requests.
public final class RequestNotes: Sendable {
    /// A part of the time that answering took.
    public struct Step: Sendable {
        public let name: String
        /// On the monotonic clock, in nanoseconds.
        public let start: UInt64
        public let nanoseconds: UInt64

        public init(_ name: String, start: UInt64, nanoseconds: UInt64) {
            self.name = name
            self.start = start
            self.nanoseconds = nanoseconds
        }
    }

    /// What there is to say.
    public struct Content: Sendable {
        /// By the names of attributes of spans.
        public let attributes: [(name: String, value: String)]
        public let steps: [Step]

        public init(attributes: [(name: String, value: String)], steps: [Step]) {
            self.attributes = attributes
            self.steps = steps
        }
    }

    private let maker = Mutex<(@Sendable () -> Content)?>(nil)

    public init() {}

    /// Says how the request was answered.
    /// - Parameter make: called where the request's trace is kept, which few are.
    public func write(_ make: @escaping @Sendable () -> Content) { maker.withLock { $0 = make } }

    /// What was said; nil where nothing was.
    var content: Content? { maker.withLock { $0 }?() }
}
