import Compression

/// What the headers of a request say about how bodies are coded (RFC 9110, sections 8.4 and 12.5.3).
enum ContentCoding {
    /// Below it a compressed answer saves nothing on a wire that sends packets of this size.
    static let worthwhileBytes = 1400

    /// The coding of a request's body; nil where it is sent as it is.
    /// - Throws: ``OpenInferenceFailure/coding(_:)`` for one that is not known.
    static func ofBody(_ header: String?) throws -> Compression? {
        guard let name = header?.lowercased(), !name.isEmpty, name != "identity" else { return nil }
        guard let coding = Compression(rawValue: name == "x-gzip" ? "gzip" : name) else {
            throw OpenInferenceFailure.coding(name)
        }
        return coding
    }

    /// The coding an answer is to have; nil for none.
    ///
    /// A client that names one coding and nothing else wants it. A list of several is what HTTP libraries send by
    /// themselves; there an answer is compressed only where it is long enough to gain.
    static func ofAnswer(_ header: UnsafeRawBufferPointer?, bytes: Int) -> Compression? {
        guard let header, !header.isEmpty else { return nil }
        let choices = header.split(separator: UInt8(ascii: ","))
        guard choices.count == 1 || bytes >= worthwhileBytes else { return nil }
        for choice in choices {
            let parts = String(decoding: choice, as: UTF8.self).lowercased()
                .split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let name = parts.first, let coding = Compression(rawValue: name) else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            if weight > 0 { return coding }
        }
        return nil
    }

    /// The value of `Inference-Header-Content-Length`; nil where there is none.
    /// - Throws: ``OpenInferenceFailure/headerLength(_:body:)``.
    static func headerLength(_ header: UnsafeRawBufferPointer?, body: Int) throws -> Int? {
        guard let header else { return nil }
        let text = String(decoding: header.prefix(24), as: UTF8.self)
        guard !header.isEmpty, header.allSatisfy({ (48...57).contains($0) }), let length = Int(text), length <= body
        else { throw OpenInferenceFailure.headerLength(text, body: body) }
        return length
    }
}
