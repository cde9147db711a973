import Foundation

/// A certificate authority of a test's own, made with the openssl command.
public final class TestAuthority: Sendable {
    public let folder: TemporaryFolder
    /// The authority's own certificate.
    public let certificate: String

    public init(_ name: String = "Test CA") throws {
        folder = try TemporaryFolder()
        certificate = folder("ca.crt")
        try openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            folder("ca.key"), "-out", certificate, "-subj", "/CN=\(name)", "-days", "2")
    }

    /// Makes a certificate and its key, both in PEM, for the loopback interface.
    public func issue(_ name: String, subject: String, days: Int = 2) throws -> (certificate: String, key: String) {
        let (certificate, key) = (folder("\(name).crt"), folder("\(name).key"))
        try folder.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n", to: "\(name).ext")
        try openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out",
            folder("\(name).csr"), "-subj", subject)
        try openssl(
            "x509", "-req", "-in", folder("\(name).csr"), "-CA", self.certificate, "-CAkey", folder("ca.key"),
            "-CAcreateserial", "-out", certificate, "-days", "\(days)", "-extfile", folder("\(name).ext"))
        chmod(key, 0o600)
        return (certificate, key)
    }
}

/// What the openssl command could not do.
public struct OpenSSLFailed: Error, CustomStringConvertible {
    public let description: String
}

/// Runs the openssl command; its output, both streams together.
@discardableResult
public func openssl(_ words: String..., mayFail: Bool = false) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
    process.arguments = words
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard mayFail || process.terminationStatus == 0 else {
        throw OpenSSLFailed(description: "openssl \(words.joined(separator: " ")): \(text)")
    }
    return text
}
