import Basics
import Foundation
import Journal
import ObjectStorage
import Telemetry

/// An anchor of a journal, and the store that it is in.
public struct AnchorPlace: Sendable {
    /// What remembers the checkpoints.
    public let anchor: any JournalAnchor
    private let documents: (any DocumentStore)?
    /// The document that holds the latest checkpoint.
    private static let document = "journal/checkpoint.json"

    init(anchor: any JournalAnchor, documents: (any DocumentStore)? = nil) {
        self.anchor = anchor
        self.documents = documents
    }

    /// Opens the anchor that an address names, such as an auditor has: `s3://BUCKET/PREFIX?…`, or `file:PATH` for a file
    /// of lines or the folder of an object store.
    /// - Parameters:
    ///   - url: the address.
    ///   - environment: where credentials may be.
    /// - Throws: `StoreURLFailure` or `StorageFailure`.
    public static func open(_ url: StoreURL, environment: [String: String]) async throws -> AnchorPlace {
        let options = WorksOptions(root: ".", environment: environment)
        return try await open(
            url,
            opener: StoreOpener(
                options: options, cache: "", metrics: MetricsRegistry(),
                logger: Logger(sink: options.logSink, level: .error, time: options.time)))
    }

    static func open(_ url: StoreURL, opener: StoreOpener) async throws -> AnchorPlace {
        guard url.scheme == "file" else { return try await documents(at: url, opener: opener) }
        try url.allow([])
        guard url.host == nil || url.host == "localhost", !url.path.isEmpty else {
            throw StoreURLFailure.malformed(url.description, reason: "it is not of the form file:PATH or file:///PATH")
        }
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder.boolValue else {
            return AnchorPlace(anchor: FileAnchor(path: url.path))
        }
        return try await documents(at: url, opener: opener)
    }

    /// An anchor among the documents of an object store.
    static func documents(at url: StoreURL, opener: StoreOpener) async throws -> AnchorPlace {
        let documents = try await opener.documents(url)
        let anchor = DocumentAnchor(name: document, place: "\(url)") { name in
            try await documents.get(name).map { DocumentAnchor.Document(bytes: $0.bytes, version: $0.tag) }
        } put: { name, bytes, version in
            do {
                _ = try await documents.put(name, bytes, when: version.map { .matches($0) } ?? .absent)
                return true
            } catch StorageFailure.conflict {
                return false
            }
        }
        return AnchorPlace(anchor: anchor, documents: documents)
    }

    /// Closes the store; the anchor is used no more.
    public func close() async { await documents?.close() }
}
