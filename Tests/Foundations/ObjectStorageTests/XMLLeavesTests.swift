import Basics
import Foundation
import Testing

@testable import ObjectStorage

/// Answers of a server are outside data.
@Suite struct XMLLeavesTests {
    private let listing = """
        <?xml version="1.0" encoding="UTF-8"?>
        <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p/</Prefix>
        <KeyCount>2</KeyCount><IsTruncated>true</IsTruncated><NextContinuationToken>1/a&amp;b==</NextContinuationToken>
        <Contents><Key>p/one &lt;1&gt;</Key><Size>12</Size><Owner><ID>me</ID></Owner></Contents>
        <Contents><Key>p/&#x4e8c;</Key><Size>0</Size></Contents></ListBucketResult>
        """

    @Test func aListingIsRead() throws {
        let page = try S3Listing.page(Array(listing.utf8))
        #expect(page.keys == ["p/one <1>", "p/二"])
        #expect(page.next == "1/a&b==")
        let leaves = try XMLLeaves.parse(Array(listing.utf8))
        #expect(leaves.contains(.init(path: "ListBucketResult/Contents/Owner/ID", text: "me")))
        let prefixed = "<s:ListBucketResult xmlns:s='x'><s:Contents><s:Key>k</s:Key></s:Contents></s:ListBucketResult>"
        #expect(try S3Listing.page(Array(prefixed.utf8)).keys == ["k"])
    }

    @Test func boundsHold() {
        func refusal(_ text: String) -> XMLLeaves.Refusal? {
            do {
                _ = try XMLLeaves.parse(Array(text.utf8))
                return nil
            } catch {
                return error as? XMLLeaves.Refusal
            }
        }
        let deep = String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)
        #expect(refusal(deep) == .tooDeep)
        #expect(refusal("<a>\(String(repeating: "x", count: XMLLeaves.textBytesMax + 1))</a>") == .tooLong)
        #expect(refusal("<a>" + String(repeating: "<b/>", count: XMLLeaves.leavesMax + 1) + "</a>") == .tooLong)
        #expect(refusal("<\(String(repeating: "n", count: 300))/>") == .tooLong)
        let bomb = "<!DOCTYPE l [<!ENTITY a \"xx\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>"
        #expect(refusal(bomb) == .documentType)
        #expect(refusal("<!DOCTYPE l SYSTEM \"file:///etc/passwd\"><l/>") == .documentType)
        for text in ["", "<a>", "</a>", "<a></b>", "<a/><b/>", "\u{0}", "<a>\u{0}</a>", "<a b='1' b='2'/>", "&amp;"] {
            if case .malformed = refusal(text) {} else { Issue.record("taken: \(text)") }
        }
        #expect(throws: XMLLeaves.Refusal.self) {
            try S3Listing.page(Array("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>".utf8))
        }
    }

    @Test func mutatedAnswersNeverBreakTheReader() {
        let random = SeededRandom(seed: 11)
        let sound = Array(listing.utf8)
        for _ in 0..<3000 {
            var bytes = sound
            for _ in 0...(random.next() % 6) {
                let index = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 4 {
                case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.removeSubrange(index..<min(bytes.count, index + 9))
                case 2: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 20)], at: index)
                default: bytes = Array(bytes[..<max(1, index)])
                }
                if bytes.isEmpty { bytes = [60] }
            }
            _ = try? S3Listing.page(bytes)
            _ = S3Answer(status: 500, headers: [:], body: bytes, count: 0).problem
            _ = S3Answer.headers(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func headersAndLengthsAreRead() {
        let headers = S3Answer.headers("HTTP/1.1 206 OK\r\nETag: \"a:b\"\r\ncontent-range:bytes 0-9/100 \r\nX\r\n\r\n")
        #expect(headers == ["etag": "\"a:b\"", "content-range": "bytes 0-9/100"])
        func total(_ status: Int, _ headers: [String: String]) -> Int64? {
            S3Answer(status: status, headers: headers, body: [], count: 0).total
        }
        #expect(total(206, headers) == 100)
        #expect(total(416, ["content-range": "bytes */0"]) == 0)
        #expect(total(206, ["content-range": "bytes 0-9/*"]) == nil)
        #expect(total(206, ["content-range": "bytes 0-9/-1"]) == nil)
        #expect(total(206, ["content-range": "99999999999999999999"]) == nil)
        #expect(total(200, ["content-length": "12"]) == 12)
    }
}
