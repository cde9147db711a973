/// What S3 answered to a request.
struct S3Answer: Sendable {
    let status: Int
    /// By name in lower case; of headers given twice the last.
    let headers: [String: String]
    /// The body, where it did not go into a file or memory of the caller's, and that of every failure.
    let body: [UInt8]
    /// The length of the body, wherever it went.
    let count: Int64

    init(status: Int, headers: [String: String], body: [UInt8], count: Int64) {
        self.status = status
        self.headers = headers
        self.body = body
        self.count = count
    }

    /// Header lines as they came, the status line among them.
    static func headers(_ lines: some StringProtocol) -> [String: String] {
        var result: [String: String] = [:]
        for line in lines.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            var end = value.endIndex
            while end > value.startIndex, [" ", "\t"].contains(value[value.index(before: end)]) {
                end = value.index(before: end)
            }
            result[line[..<colon].lowercased()] = String(value[..<end])
        }
        return result
    }

    /// The whole length of an object of which a range was asked: from `Content-Range: bytes 0-9/100`, or `bytes */0`.
    var total: Int64? {
        if let range = headers["content-range"] {
            guard let slash = range.lastIndex(of: "/") else { return nil }
            return Int64(range[range.index(after: slash)...]).flatMap { $0 >= 0 ? $0 : nil }
        }
        return status == 200 ? headers["content-length"].flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil } : nil
    }

    /// `Code` and `Message` of an error document; empty where there is none.
    var problem: (code: String, message: String) {
        guard let leaves = try? XMLLeaves.parse(body) else { return ("", "") }
        return (
            leaves.first { $0.path == "Error/Code" }?.text ?? "",
            String((leaves.first { $0.path == "Error/Message" }?.text ?? "").prefix(300))
        )
    }
}
