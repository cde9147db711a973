/// A handler of the hot path. It returns true when it has replied, false to leave the request to the asynchronous route.
public typealias InlineHandler = @Sendable (borrowing InlineExchange) -> Bool

/// Where the parameters of an inline route lie in the raw path, in the order of the pattern.
struct InlineParameters: Sendable {
    static let limit = 4

    private var places: (Range<Int>, Range<Int>, Range<Int>, Range<Int>) = (0..<0, 0..<0, 0..<0, 0..<0)
    private(set) var count = 0

    mutating func append(_ place: Range<Int>) {
        switch count {
        case 0: places.0 = place
        case 1: places.1 = place
        case 2: places.2 = place
        default: places.3 = place
        }
        count = min(count + 1, InlineParameters.limit)
    }

    subscript(index: Int) -> Range<Int>? {
        guard index >= 0, index < count else { return nil }
        return switch index {
        case 0: places.0
        case 1: places.1
        case 2: places.2
        default: places.3
        }
    }
}

/// A route matched on the raw bytes of the path, with no allocation.
final class InlineRoute: Sendable {
    private enum Segment: Sendable {
        case literal([UInt8])
        case text
        case integer
    }

    let method: HTTPMethod
    let methodName: [UInt8]
    let pattern: RoutePattern
    let names: [String]
    let need: RouteNeed?
    /// The place among the parameters of the one that names the resource.
    let resource: Int?
    let handler: InlineHandler
    private let segments: [Segment]

    /// Nil where the pattern has more parameters than fit, or one that takes the rest of the path.
    init?(method: HTTPMethod, pattern: RoutePattern, need: RouteNeed?, handler: @escaping InlineHandler) {
        names = pattern.segments.compactMap(\.parameter)
        guard names.count <= InlineParameters.limit else { return nil }
        var segments: [Segment] = []
        for segment in pattern.segments {
            switch segment {
            case .literal(let text): segments.append(.literal(Array(text.utf8)))
            case .text: segments.append(.text)
            case .integer: segments.append(.integer)
            case .rest: return nil
            }
        }
        self.segments = segments
        self.method = method
        methodName = Array(method.rawValue.utf8)
        self.pattern = pattern
        self.need = need
        resource = need?.parameter.flatMap(names.firstIndex)
        self.handler = handler
    }

    /// The places of the parameters where `path` (raw, without the query) fits.
    func match(_ path: UnsafeRawBufferPointer) -> InlineParameters? {
        var found = InlineParameters()
        var position = 0
        for segment in segments {
            guard position < path.count, path[position] == UInt8(ascii: "/") else { return nil }
            position += 1
            switch segment {
            case .literal(let text):
                guard path.count - position >= text.count else { return nil }
                for index in text.indices where path[position + index] != text[index] { return nil }
                position += text.count
            case .text, .integer:
                let start = position
                var digitsOnly = true
                while position < path.count, path[position] != UInt8(ascii: "/") {
                    // An escape means that the raw bytes are not the name; the slower route decodes it.
                    guard path[position] != UInt8(ascii: "%") else { return nil }
                    digitsOnly = digitsOnly && (48...57).contains(path[position])
                    position += 1
                }
                guard position > start else { return nil }
                if case .integer = segment, !digitsOnly || position - start > 18 { return nil }
                found.append(start..<position)
            }
        }
        return position == path.count ? found : nil
    }
}
