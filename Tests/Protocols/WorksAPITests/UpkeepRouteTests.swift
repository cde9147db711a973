import Basics
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@Suite(.serialized) struct UpkeepRouteTests {
    /// Less than an hour would take the bytes of uploads that nothing names yet.
    @Test(arguments: [(0, 400), (3599, 400), (3600, 200), (3_155_760_001, 400)] as [(Int64, Int)])
    func theGraceIsAnHourAtLeast(seconds: Int64, status: Int) async throws {
        let shop = try await Workshop()
        let answer = try await shop.send(.post, "/collect", ["graceSeconds": .integer(seconds), "deletedSeconds": 0])
        #expect(answer.status == status, "\(answer.text)")
        await shop.works.close()
    }
}
