import Basics
import Foundation

/// Which bucket of which service, under which prefix, and how patient to be with it.
struct S3Location: Sendable {
    /// As given, without any secret: `s3://bucket/prefix`.
    let place: String
    let bucket: String
    /// Empty, or without a leading and with a trailing slash.
    let prefix: String
    let region: String
    /// `http://127.0.0.1:9000`, without a trailing slash.
    let base: String
    /// Whether the server is this machine.
    let isLoopback: Bool
    /// What stands before the key in the path of a request: `/bucket/`, or `/` where the bucket is part of the host.
    let pathStart: String
    /// PEM certificates to trust in place of the system's.
    let authority: [UInt8]?
    let transfers: Int
    var limits: S3Limits
    /// `HOST:PORT:TO_HOST:TO_PORT`: where to connect in place of what the base names.
    var connectTo: String?

    private static let known: Set<String> = [
        "endpoint", "region", "path_style", "insecure", "transfers", "connect_seconds", "request_seconds",
        "retry_seconds", "retries", "stall_seconds", "cache_mb",
    ]

    /// - Parameters:
    ///   - url: `s3://bucket/prefix?endpoint=http://host:port&region=…`.
    ///   - environment: for AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL.
    /// - Throws: `StoreURLFailure`.
    init(_ url: StoreURL, environment: [String: String]) throws {
        try url.allow(S3Location.known)
        guard let bucket = url.host, S3Location.isBucket(bucket), url.port == nil, url.user == nil else {
            throw StoreURLFailure.malformed(
                url.description, reason: "it is not of the form s3://bucket/prefix with a bucket of 3 to 63 characters")
        }
        self.bucket = bucket
        let parts = url.path.split(separator: "/")
        guard parts.allSatisfy({ $0 != "." && $0 != ".." && $0.utf8.allSatisfy { $0 >= 0x20 } }),
            url.path.utf8.count <= 512
        else {
            throw StoreURLFailure.malformed(url.description, reason: "its prefix has parts that S3 clients disagree on")
        }
        prefix = parts.isEmpty ? "" : parts.joined(separator: "/") + "/"
        place = "s3://\(bucket)" + (parts.isEmpty ? "" : "/" + parts.joined(separator: "/"))
        let region = url.settings["region"] ?? environment["AWS_REGION"] ?? environment["AWS_DEFAULT_REGION"]
        self.region = region ?? "us-east-1"
        guard !self.region.isEmpty, self.region.utf8.count <= 64,
            self.region.utf8.allSatisfy({ $0 == 45 || (48...57).contains($0) || (97...122).contains($0) })
        else {
            throw StoreURLFailure.setting(
                "region", in: url.description, reason: "it must be lower-case letters, digits and '-'")
        }
        let endpoint =
            url.settings["endpoint"] ?? environment["AWS_ENDPOINT_URL_S3"] ?? environment["AWS_ENDPOINT_URL"]
        let text = endpoint ?? "https://s3.\(self.region).amazonaws.com"
        guard let parsed = URLComponents(string: text), let scheme = parsed.scheme?.lowercased(),
            scheme == "http" || scheme == "https", let host = parsed.host, !host.isEmpty, parsed.user == nil,
            parsed.password == nil, parsed.path.isEmpty || parsed.path == "/", parsed.query == nil
        else {
            throw StoreURLFailure.setting(
                "endpoint", in: url.description, reason: "it must be http://host:port or https://host:port")
        }
        isLoopback = ["127.0.0.1", "localhost", "::1", "[::1]"].contains(host)
        let allowsPlain = try url.flag("insecure") ?? false
        guard scheme == "https" || isLoopback || allowsPlain else {
            throw StoreURLFailure.setting(
                "endpoint", in: url.description,
                reason: "without TLS anybody on the way reads the objects; use https, or say insecure=true")
        }
        let pathStyle = try url.flag("path_style") ?? (endpoint != nil || bucket.contains("."))
        let port = parsed.port.map { ":\($0)" } ?? ""
        base = "\(scheme)://" + (pathStyle ? "" : "\(bucket).") + host + port
        pathStart = pathStyle ? "/\(bucket)/" : "/"
        authority = url.secret("ca").map { Array($0.revealed.utf8) }
        transfers = try url.integer("transfers", in: 1...64) ?? 8
        limits = S3Limits()
        if let value = try url.integer("connect_seconds", in: 1...60) { limits.connectSeconds = Double(value) }
        if let value = try url.integer("request_seconds", in: 1...3600) { limits.requestSeconds = Double(value) }
        if let value = try url.integer("retry_seconds", in: 0...3600) { limits.retrySeconds = Double(value) }
        if let value = try url.integer("stall_seconds", in: 1...600) { limits.stallSeconds = value }
        if let value = try url.integer("retries", in: 0...20) { limits.attempts = value + 1 }
    }

    /// The address of a key. What may stand in a path is left, all else is percent-encoded, as SigV4 wants it.
    func url(key: String, query: [(name: String, value: String)] = []) -> String {
        let items = query.map { (S3Location.encoded($0.name), S3Location.encoded($0.value)) }.sorted { $0 < $1 }
        // `?name=` even without a value: the signature is over this form.
        let text = items.map { "\($0)=\($1)" }.joined(separator: "&")
        let path = key.isEmpty ? pathStart : pathStart + S3Location.encoded(key, keeping: 0x2F)
        return base + path + (text.isEmpty ? "" : "?\(text)")
    }

    static func encoded(_ text: String, keeping kept: UInt8? = nil) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 48...57, 65...90, 97...122, 45, 46, 95, 126: result.append(byte)
            case kept: result.append(byte)
            default: result += [37, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isBucket(_ name: String) -> Bool {
        (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy { $0 == 45 || $0 == 46 || (48...57).contains($0) || (97...122).contains($0) }
    }
}

/// How large, how long and how often.
struct S3Limits: Sendable {
    var connectSeconds = 5.0
    /// Of one try of one request, which moves at most a part.
    var requestSeconds = 300.0
    /// Of all tries of one request together.
    var retrySeconds = 120.0
    var attempts = 6
    /// The first wait is up to this, the next up to twice that, and so on.
    var backoffSeconds = 0.1
    var backoffSecondsMax = 10.0
    /// Slower than a KiB per second for so long counts as broken.
    var stallSeconds = 15
    /// What is longer goes in parts.
    var singlePutBytes: Int64 = 16 << 20
    var partBytes: Int64 = 8 << 20
    /// What one request reads. Larger than a part: each costs its own wait, and some services read the whole object for
    /// each.
    var rangeBytes: Int64 = 16 << 20
    var parallelParts = 4
    /// S3 takes at most 10,000 parts.
    var partsMax: Int64 = 10_000
    /// Of what is read into memory.
    var memoryBytes: Int64 = 4 << 30

    /// One try and no patience, for a person who waits for a verdict.
    var impatient: S3Limits {
        var limits = self
        limits.attempts = 1
        limits.requestSeconds = min(requestSeconds, 10)
        return limits
    }
}

/// Who we are to the service.
struct S3Credentials: Sendable {
    let accessKey: Secret
    let secretKey: Secret
    let sessionToken: Secret?

    /// From the address's secrets `access_key`, `secret_key`, `session_token`, else from the variables of the AWS tools.
    /// - Throws: `StorageFailure.noCredentials`.
    init(_ url: StoreURL, environment: [String: String], place: String) throws {
        func find(_ name: String, _ variable: String) -> Secret? {
            url.secret(name) ?? environment[variable].flatMap { $0.isEmpty ? nil : Secret($0) }
        }
        guard let accessKey = find("access_key", "AWS_ACCESS_KEY_ID") else {
            throw StorageFailure.noCredentials(store: place, reason: "there is no access key")
        }
        guard let secretKey = find("secret_key", "AWS_SECRET_ACCESS_KEY") else {
            throw StorageFailure.noCredentials(store: place, reason: "there is no secret key")
        }
        let token =
            url.secret("access_key") == nil ? find("session_token", "AWS_SESSION_TOKEN") : url.secret("session_token")
        for secret in [accessKey, secretKey, token].compactMap({ $0 })
        where !secret.revealed.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
            throw StorageFailure.noCredentials(store: place, reason: "a key has characters that no key has")
        }
        self.accessKey = accessKey
        self.secretKey = secretKey
        sessionToken = token
    }
}
