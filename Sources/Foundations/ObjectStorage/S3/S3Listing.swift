import Basics

/// The keys of a bucket, page by page (ListObjectsV2).
struct S3Listing: Sendable {
    /// One page of a listing.
    struct Page: Hashable {
        var files: [S3File] = []
        var keys: [String] { files.map(\.key) }
        /// Where the next page begins; nil for the last one.
        var next: String?
    }

    private let client: S3Client
    /// Bounds what a server that never ends can cost: 100 million keys.
    private static let pagesMax = 100_000

    init(_ client: S3Client) { self.client = client }

    func each(under prefix: String, _ body: (String) -> Void) async throws {
        try await eachPage(under: prefix) { page in for key in page.keys { body(key) } }
    }

    /// Hands over every object with its length and tag.
    func eachObject(under prefix: String, _ body: (S3File) -> Void) async throws {
        try await eachPage(under: prefix) { page in for file in page.files { body(file) } }
    }

    private func eachPage(under prefix: String, _ body: (Page) -> Void) async throws {
        var token: String?
        for _ in 0..<S3Listing.pagesMax {
            var request = S3Request("list", "GET", key: "")
            request.query = [("list-type", "2"), ("max-keys", "1000"), ("prefix", prefix)]
            if let token { request.query.append(("continuation-token", token)) }
            let answer = try await client.send(request)
            let page: Page
            do {
                page = try S3Listing.page(answer.body)
            } catch {
                throw wrong("it is no list of objects")
            }
            body(page)
            guard let next = page.next else { return }
            guard next != token else { throw wrong("the list goes round in circles") }
            token = next
        }
        throw wrong("the list does not end")
    }

    /// Reads a page.
    /// - Throws: `XMLLeaves.Refusal`.
    static func page(_ bytes: [UInt8]) throws -> Page {
        let leaves = try XMLLeaves.parse(bytes)
        guard leaves.last?.path == "ListBucketResult" else { throw XMLLeaves.Refusal.malformed("it is no list") }
        var page = Page()
        var file = S3File(key: "", bytes: -1, tag: "")
        var isTruncated = false
        for leaf in leaves {
            switch leaf.path {
            case "ListBucketResult/Contents/Key": file.key = leaf.text
            case "ListBucketResult/Contents/Size": file.bytes = Int64(leaf.text) ?? -1
            case "ListBucketResult/Contents/ETag": file.tag = leaf.text.filter { $0 != "\"" }
            case "ListBucketResult/Contents":
                page.files.append(file)
                file = S3File(key: "", bytes: -1, tag: "")
            case "ListBucketResult/IsTruncated": isTruncated = leaf.text == "true"
            case "ListBucketResult/NextContinuationToken": page.next = leaf.text
            default: break
            }
        }
        if !isTruncated { page.next = nil }
        guard !isTruncated || page.next?.isEmpty == false else { throw XMLLeaves.Refusal.malformed("no token") }
        return page
    }

    private func wrong(_ reason: String) -> StorageFailure {
        .badAnswer(store: client.location.place, action: "listing", reason: reason)
    }
}
