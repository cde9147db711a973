import HTTP

/// Arrow streams as bodies of messages.
enum ArrowMessage {
    static let contentType = "application/vnd.apache.arrow.stream"

    static func isBody(of request: HTTPRequest) -> Bool { holds(request.header("Content-Type")) }

    static func isWanted(by request: HTTPRequest) -> Bool { holds(request.header("Accept")) }

    private static func holds(_ header: String?) -> Bool { header?.lowercased().contains(contentType) ?? false }
}
