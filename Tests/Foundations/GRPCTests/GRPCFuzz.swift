import Basics
import Foundation
import HTTP
import Testing

@testable import GRPC

/// Random and mutated bytes where clients send messages and frames: each is taken, or refused. Nothing else may happen.
@Suite(.serialized) struct GRPCFuzz {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    private let seed = number("MODELWORKS_SEED") ?? 1
    private let seconds = number("MODELWORKS_FUZZ_SECONDS") ?? 2

    private func mutated(_ bytes: [UInt8], _ random: SeededRandom) -> [UInt8] {
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
        var bytes = bytes
        for _ in 0..<below(6) {
            let at = below(bytes.count + 1)
            switch below(5) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
            case 1: bytes.removeSubrange(at..<min(bytes.count, at + below(12)))
            case 2: if at < bytes.count { bytes[at] = [0, 1, 127, 128, 255][below(5)] }
            case 3: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
            default:
                let end = min(bytes.count, at + below(40))
                bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count + 1))
            }
        }
        return bytes
    }

    @Test func messagesAreTakenOrRefused() throws {
        let random = SeededRandom(seed: seed)
        let text = Array(String(repeating: "a text that repeats itself, ", count: 40).utf8)
        let packed = try #require(MessageCoding.pack(text))
        let ways: [[UInt8]] = [FrameSocket.message(text), FrameSocket.message(packed, compressed: 1), packed]
        let end = ContinuousClock.now + .seconds(Double(seconds))
        var (taken, refused) = (0, 0)
        while ContinuousClock.now < end {
            for way in ways {
                let bytes = mutated(way, random)
                let reads: [(UnsafeRawBufferPointer) throws -> Void] = [
                    { _ = try MessageFrame($0, limit: 1 << 20) },
                    { bytes in
                        let unpacked = try MessageCoding.unpack(bytes, limit: 10_000)
                        #expect(unpacked.count <= 10_000)
                    },
                ]
                for read in reads {
                    do {
                        try bytes.withUnsafeBytes(read)
                        taken += 1
                    } catch {
                        #expect(error is GRPCFailure)
                        refused += 1
                    }
                }
                _ = bytes.withUnsafeBytes { try? GRPCHealth.service(in: $0) }
                _ = bytes.withUnsafeBytes { GRPCTimeout.milliseconds($0) }
            }
        }
        #expect(taken > 0 && refused > 0)
    }

    @Test func framesAreTakenOrRefused() async throws {
        let random = SeededRandom(seed: seed &+ 1)
        let fixture = try CallFixture()
        func call(_ name: String, _ stream: UInt32) -> [UInt8] {
            FrameSocket.call("/test.Echo/\(name)", stream: stream, Array("hello".utf8), [("grpc-timeout", "50m")])
        }
        let talk =
            FrameSocket.preface + FrameSocket.frame(FrameSocket.Kind.settings) + call("Inline", 1) + call("Stream", 3)
            + call("Unary", 5) + FrameSocket.frame(FrameSocket.Kind.window, FrameSocket.big(1000)) + call("Wait", 7)
            + FrameSocket.frame(FrameSocket.Kind.reset, stream: 7, FrameSocket.big(8)) + call("Later", 9)
        let end = ContinuousClock.now + .seconds(Double(seconds))
        var count = 0
        while ContinuousClock.now < end {
            let socket = try FrameSocket(port: fixture.port, greets: false)
            let bytes = mutated(talk, random)
            // In two pieces, wherever the cut falls.
            let cut = Int(random.next() % UInt64(bytes.count + 1))
            socket.send(Array(bytes[..<cut]))
            socket.send(Array(bytes[cut...]))
            count += 1
        }
        #expect(count > 10)
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.call("/test.Echo/Inline", stream: 1, Array("alive".utf8)))
        let frames = try await socket.until { $0.type == FrameSocket.Kind.headers && $0.isEnd }
        #expect(frames.contains { $0.payload == FrameSocket.message(Array("alive".utf8)) })
        #expect(await eventually { fixture.server.connections <= 1 })
        await fixture.server.shutdown(drainSeconds: 1)
    }
}
