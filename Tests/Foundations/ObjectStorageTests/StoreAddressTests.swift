import Basics
import Foundation
import TestSupport
import Testing

@testable import ObjectStorage

/// Addresses and keys of stores.
@Suite struct StoreAddressTests {
    private let keys = ["AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "sesame", "AWS_SESSION_TOKEN": "token"]

    private func location(_ text: String, _ environment: [String: String] = [:]) throws -> S3Location {
        try S3Location(StoreURL(text, secrets: SecretSource(environment: environment)), environment: environment)
    }

    @Test func addressesAreRead() throws {
        let aws = try location("s3://my-bucket/a/b?region=eu-west-1")
        #expect(aws.url(key: "k x/ü") == "https://my-bucket.s3.eu-west-1.amazonaws.com/k%20x/%C3%BC")
        #expect(aws.prefix == "a/b/" && aws.place == "s3://my-bucket/a/b")
        let own = try location("s3://my-bucket/?endpoint=http://127.0.0.1:9000/", ["AWS_REGION": "here-1"])
        #expect(own.url(key: "", query: [("b", ""), ("a", "=&")]) == "http://127.0.0.1:9000/my-bucket/?a=%3D%26&b=")
        #expect(own.region == "here-1" && own.prefix.isEmpty && own.isLoopback)
        let google = try location("s3://my-bucket?endpoint=https://storage.googleapis.com&path_style=false")
        #expect(google.url(key: "k") == "https://my-bucket.storage.googleapis.com/k")
        #expect(try location("s3://my.bucket").url(key: "k") == "https://s3.us-east-1.amazonaws.com/my.bucket/k")
        let patient = try location("s3://abc?retries=0&stall_seconds=2&connect_seconds=3&transfers=2")
        #expect(patient.limits.attempts == 1 && patient.limits.stallSeconds == 2 && patient.transfers == 2)
    }

    @Test(arguments: [
        "s3:bucket", "s3://ab", "s3://Bucket!", "s3://bucket:80", "s3://user@bucket", "s3://bucket/../x",
        "s3://bucket?endpoint=ftp://host", "s3://bucket?endpoint=host", "s3://bucket?endpoint=https://u:p@host",
        "s3://bucket?endpoint=https://host/path", "s3://bucket?endpoint=http://store.example",
        "s3://bucket?region=A%20B",
        "s3://bucket?path_style=perhaps", "s3://bucket?transfers=0", "s3://bucket?colour=red",
    ])
    func wrongAddressesAreRefused(_ text: String) {
        #expect(throws: StoreURLFailure.self) { try location(text) }
    }

    @Test func keysComeFromTheAddressOrTheEnvironment() throws {
        let plain = try StoreURL("s3://bucket", secrets: SecretSource(environment: [:]))
        let found = try S3Credentials(plain, environment: keys, place: "s3://bucket")
        #expect(found.accessKey.revealed == "AKID" && found.sessionToken?.revealed == "token")
        #expect(!"\(found)".contains("sesame") && !"\(found)".contains("AKID"))
        let own = try StoreURL(
            "s3://bucket?access_key_env=A&secret_key_env=B", secrets: SecretSource(environment: ["A": "1", "B": "2"]))
        let given = try S3Credentials(own, environment: keys, place: "s3://bucket")
        #expect(given.accessKey.revealed == "1" && given.secretKey.revealed == "2" && given.sessionToken == nil)
        for (environment, secret) in [([:], ""), (["AWS_ACCESS_KEY_ID": "AKID"], ""), (keys, "line\nend")] {
            var environment = environment
            if !secret.isEmpty { environment["AWS_SECRET_ACCESS_KEY"] = secret }
            #expect { try S3Credentials(plain, environment: environment, place: "s3://bucket") } throws: { error in
                guard case StorageFailure.noCredentials = error else { return false }
                return !"\(error)".contains("AKID")
            }
        }
    }

    @Test func onlyKnownSchemesAreOpened() async throws {
        let folder = try TemporaryFolder()
        for text in ["gs://bucket", "file://host/path", "file:"] {
            let url = try StoreURL(text, secrets: SecretSource(environment: [:]))
            await #expect(throws: StoreURLFailure.self) { try await ObjectStores.open(url, cache: folder("cache")) }
            await #expect(throws: StoreURLFailure.self) { try await ObjectStores.openDocuments(url) }
        }
    }
}
