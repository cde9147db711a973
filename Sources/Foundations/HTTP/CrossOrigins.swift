/// Which pages of other origins may read the answers of a server in a browser (CORS, https://fetch.spec.whatwg.org/).
public struct CrossOrigins: Sendable {
    private let origins: Set<[UInt8]>
    private let isAny: Bool
    /// Seconds for which a browser need not ask again.
    private static let preflightSeconds = 600
    private static let exposed =
        "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Inference-Header-Content-Length"

    /// - Parameter origins: such as `https://shop.example`, or `*` for all. Cookies never go along: callers show who they are
    ///   by headers.
    /// - Throws: `HTTPFailure.badOrigin` for what is no origin.
    public init(_ origins: [String]) throws(HTTPFailure) {
        for origin in origins where origin != "*" {
            let parts = origin.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "http:" || parts[0] == "https:", parts[1].isEmpty, !parts[2].isEmpty,
                origin.utf8.allSatisfy({ $0 > 32 && $0 < 127 && !(65...90).contains($0) })
            else { throw .badOrigin(origin) }
        }
        isAny = origins.contains("*")
        self.origins = Set(origins.map { Array($0.utf8) })
    }

    /// Header lines for the answer to a page of an origin; without leave for origins that have none.
    /// - Parameters:
    ///   - origin: nil where no page asks.
    ///   - requested: the headers that a preflight asks leave for; nil where it is none.
    func lines(for origin: UnsafeRawBufferPointer?, requested: UnsafeRawBufferPointer?, isPreflight: Bool) -> [UInt8] {
        // Caches must not give the answer for one origin to another.
        var text = isAny ? "" : "Vary: Origin\r\n"
        guard let origin, isAny || origins.contains([UInt8](origin)) else { return Array(text.utf8) }
        text += "Access-Control-Allow-Origin: \(isAny ? "*" : String(decoding: origin, as: UTF8.self))\r\n"
        guard isPreflight else {
            return Array((text + "Access-Control-Expose-Headers: \(Self.exposed)\r\n").utf8)
        }
        text += "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
        text += "Access-Control-Max-Age: \(Self.preflightSeconds)\r\n"
        if let requested, requested.count <= 4096, requested.allSatisfy({ $0 >= 32 && $0 < 127 }) {
            text += "Access-Control-Allow-Headers: \(String(decoding: requested, as: UTF8.self))\r\n"
        }
        return Array(text.utf8)
    }
}
