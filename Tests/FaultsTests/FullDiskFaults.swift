import Basics
import Foundation
import HTTP
import TestSupport
import Testing

/// A full disk refuses work with a clear error; nothing acknowledged is lost, and with space work goes on by itself.
@Suite(.enabled(if: Mount.permitted, "mounting is not permitted here"))
struct FullDiskFaults {
    /// Takes all the space that is left.
    private static func fill(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Unmet("the ballast could not be made") }
        defer { close(descriptor) }
        let block = [UInt8](repeating: 0x55, count: 4096)
        while write(descriptor, block, block.count) > 0 {}
        guard errno == ENOSPC else { throw Unmet("filling the disk failed: \(String(cString: strerror(errno)))") }
    }

    @Test("a full disk is told as such, and work goes on after it", .timeLimit(.minutes(3)))
    func fullDisk() async throws {
        try await onThread("full-disk") {
            let factory = try SeededFactory(seed: KillTrial.seed, requests: 600)
            try factory.prepare()
            let disk = try Mount(megabytes: 24)
            let root = "\(disk.path)/root"
            try FileManager.default.copyItem(atPath: factory.root, toPath: root)
            var server = try Server(root: root, logs: factory.folder.path)
            let connection = try HTTPConnection(url: server.url)
            var acknowledged: Set<String> = []
            func ask(_ order: SeededFactory.Order) throws -> HTTPResponse {
                let response = try connection.send(.post, SeededFactory.inferPath, body: SeededFactory.infer(order))
                if response.status == .ok { acknowledged.insert(order.id) }
                return response
            }
            for order in factory.orders.prefix(50) { #expect(try ask(order).status == .ok) }

            try Self.fill("\(disk.path)/ballast")
            // The last page of the log's file still has room for some.
            var refused: [HTTPResponse] = []
            for order in factory.orders.dropFirst(50).prefix(400) {
                let response = try ask(order)
                if response.status != .ok { refused.append(response) }
            }
            #expect(refused.count > 100)
            #expect(refused.allSatisfy { [429, 503].contains($0.status.code) })
            #expect(refused.allSatisfy { $0.text.contains("the disk is full") && $0.text.contains("Free some space") })
            try refuseChanges(connection)
            #expect(server.child.exitCode == nil)
            #expect(try connection.send(.get, "/health").status == .ok)

            try FileManager.default.removeItem(atPath: "\(disk.path)/ballast")
            for order in factory.orders.dropFirst(450) { #expect(try ask(order).status == .ok) }
            try API(url: server.url).post("/endpoints/orders/deploy", ["version": "orders/1", "reason": "space again"])
            try judge(server, acknowledged: acknowledged.count)
            try server.kill()
            server = try Server(root: root, logs: factory.folder.path)
            try judge(server, acknowledged: acknowledged.count)
            #expect(try server.stop() == 0)
        }
    }

    /// Changes to the database and to the labels are refused too, once their files need new pages.
    private func refuseChanges(_ connection: HTTPConnection) throws {
        let deploy: [UInt8] = Array(#"{"version":"orders/1","reason":"\#(String(repeating: "x", count: 9000))"}"#.utf8)
        let answer = try connection.send(
            .post, "/api/works/v1/endpoints/orders/deploy", headers: ["Content-Type": "application/json"], body: deploy)
        #expect([429, 503].contains(answer.status.code), "\(answer.text)")
        #expect(answer.text.contains("the disk is full"))
        let label = #"{"id":"\#(String(repeating: "l", count: 200))","value":1,"time":"2024-03-16T00:00:00Z"}"#
        let labels = "{\"labels\":[\(Array(repeating: label, count: 40).joined(separator: ","))]}"
        let told = try connection.send(
            .post, "/api/works/v1/endpoints/orders/labels", headers: ["Content-Type": "application/json"],
            body: Array(labels.utf8))
        #expect([429, 503].contains(told.status.code), "\(told.text)")
        #expect(told.text.contains("the disk is full"))
    }

    private func judge(_ server: Server, acknowledged: Int) throws {
        let api = try API(url: server.url)
        let totals = try api.get("/endpoints/orders/totals")
        #expect(totals["predictions"]?["distinct"]?.integer == Int64(acknowledged))
        #expect(totals["predictions"]?["records"]?.integer == Int64(acknowledged))
        #expect(totals["predictions"]?["conflicting"]?.integer == 0)
        #expect(try api.get("/journal/verify")["intact"]?.bool == true)
        let reasons = try api.get("/journal?limit=10000").array?.compactMap { $0["body"]?["reason"]?.string } ?? []
        #expect(reasons.contains("space again"))
        #expect(!reasons.contains { $0.hasPrefix("xxx") })
    }
}
