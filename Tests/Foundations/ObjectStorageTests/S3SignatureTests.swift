import Basics
import Engines
import Foundation
import Telemetry
import TestSupport
import Testing

@testable import ObjectStorage

/// What goes over the wire is signed as the service will check it.
@Suite struct S3SignatureTests {
    private static let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    /// A client whose requests to any host end at a listener that answers 200.
    private func client(token: String? = nil) throws -> (S3Client, FaultProxy) {
        let proxy = try FaultProxy(upstream: 0, secret: Self.key) { _, _ in .answer(200, headers: [:], body: "") }
        let environment = [
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": Self.key,
            "AWS_SESSION_TOKEN": token ?? "",
        ]
        let url = try StoreURL(
            "s3://examplebucket?endpoint=http://s3.amazonaws.com&path_style=false&insecure=true",
            secrets: SecretSource(environment: [:]))
        var location = try S3Location(url, environment: environment)
        location.connectTo = "::127.0.0.1:\(proxy.port)"
        location.limits.attempts = 1
        let credentials = try S3Credentials(url, environment: environment, place: location.place)
        // 2013-05-24T00:00:00Z, the moment of the published examples.
        let time = ManualTime(Timestamp(seconds: 1_369_353_600))
        return (S3Client(location, credentials, time: time, random: SeededRandom(seed: 1), metrics: nil), proxy)
    }

    // The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
    @Test func thePublishedExamplesAreSignedAsPublished() async throws {
        let (client, proxy) = try client()
        var get = S3Request("get", "GET", key: "test.txt")
        get.headers = [("range", "bytes=0-9")]
        var put = S3Request("put", "PUT", key: "test$file.text")
        let body = Array("Welcome to Amazon S3.".utf8)
        put.headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")]
        put.body = .bytes(body, body.indices)
        put.digest = Digest(of: body)
        var lifecycle = S3Request("get", "GET", key: "")
        lifecycle.query = [("lifecycle", "")]
        var list = S3Request("list", "GET", key: "")
        list.query = [("prefix", "J"), ("max-keys", "2")]
        let published = [
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ]
        for request in [get, put, lifecycle, list] { _ = try await client.send(request) }
        #expect(proxy.requests.map { SignatureOracle.given($0) } == published)
        #expect(proxy.forgeries.isEmpty)
        #expect(
            proxy.requests.map(\.target) == ["/test.txt", "/test%24file.text", "/?lifecycle=", "/?max-keys=2&prefix=J"])
        #expect(proxy.requests.allSatisfy { $0.headers["host"] == "examplebucket.s3.amazonaws.com" })
    }

    @Test func tokensQueriesAndStrangeKeysAreSigned() async throws {
        let (client, proxy) = try client(token: "AQoEXAMPLEH4aoAH0gNCAPy+/==session")
        let keys = ["a b", "ä/ü~x", "a+b&c=d", "sha256/ab/cd", "100%", "a,b;c:d@e", "(x)*'!", "日本"]
        for (index, key) in keys.enumerated() {
            var part = S3Request("part", "PUT", key: key)
            part.query = [("uploadId", "2~\(key)/+=="), ("partNumber", "\(index + 1)")]
            part.headers = [("if-none-match", "*"), ("content-type", "application/octet-stream")]
            part.body = .bytes(Array(key.utf8), 0..<key.utf8.count)
            part.digest = Digest(of: key)
            _ = try await client.send(part)
            var list = S3Request("list", "GET", key: "")
            list.query = [
                ("list-type", "2"), ("prefix", key), ("continuation-token", "1/\(key)=="), ("max-keys", "1000"),
            ]
            _ = try await client.send(list)
            var begin = S3Request("multipart", "POST", key: key)
            begin.query = [("uploads", "")]
            begin.body = .bytes([], 0..<0)
            _ = try await client.send(begin)
            _ = try await client.send(S3Request("delete", "DELETE", key: key))
            _ = try await client.send(S3Request("head", "HEAD", key: key))
        }
        #expect(proxy.requests.count == 5 * keys.count)
        #expect(proxy.forgeries.isEmpty)
        for request in proxy.requests {
            #expect(request.headers["x-amz-security-token"] == "AQoEXAMPLEH4aoAH0gNCAPy+/==session")
            #expect(request.headers["authorization"]?.contains("x-amz-security-token") == true)
            #expect(request.headers.values.allSatisfy { !$0.contains(Self.key) })
        }
    }

    @Test func aWrongKeyWouldBeSeen() async throws {
        let proxy = try FaultProxy(upstream: 0, secret: "another") { _, _ in .answer(200, headers: [:], body: "") }
        let url = try StoreURL(
            "s3://bucket?endpoint=\(proxy.endpoint)", secrets: SecretSource(environment: [:]))
        let store = try S3BlobStore(url, environment: ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"])
        try await store.delete(Digest(of: "x"))
        #expect(proxy.forgeries.count == 1)
    }
}
