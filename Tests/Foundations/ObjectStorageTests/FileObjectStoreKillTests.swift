import Basics
import Engines
import Foundation
import ObjectStorage
import TestSupport
import Testing

private let environment = ProcessInfo.processInfo.environment
private let rootVariable = "MODELWORKS_KILLED_STORE"

/// A process that stores objects is killed at random moments: what it acknowledged is there and sound, and nothing half
/// written shows.
@Suite struct FileObjectStoreKillTests {
    /// The part of the child: stores for ever and notes what was acknowledged.
    @Test(.enabled(if: environment[rootVariable] != nil))
    func killedStoreChild() async throws {
        let root = try #require(environment[rootVariable])
        let store = try FileObjectStore(root: "\(root)/store")
        let note = try #require(FileHandle(forWritingAtPath: "\(root)/acknowledged"))
        note.seekToEndOfFile()
        for index in 0... {
            let content = Array("\(getpid())-\(index)-".utf8) + [UInt8](repeating: 7, count: (index * 7919) % 200_000)
            let name = try await store.put(content)
            note.write(Data("\(name.hex)\n".utf8))
        }
    }

    @Test(.enabled(if: environment[rootVariable] == nil))
    func whatWasAcknowledgedIsThere() throws { try storm(runs: 8) }

    fileprivate func storm(runs: Int) throws {
        let random = SeededRandom(seed: 3)
        var folder = try TemporaryFolder()
        var total = 0
        for run in 0..<runs {
            if run % 10 == 0 {
                folder = try TemporaryFolder()
                try folder.write("", to: "acknowledged")
            }
            let before = try acknowledged(folder).count
            let child = try EngineProcess(
                "child\(run)", try Self.ownWords(filter: "killedStoreChild"),
                environment: [rootVariable: folder.path], folder: folder.path)
            try waitUntil("the child stores: \(child.output.suffix(1000))") {
                try acknowledged(folder).count > before + 3
            }
            usleep(UInt32(random.next() % 30_000))
            child.signal(SIGKILL)
            child.end()
            total += try acknowledged(folder).count - before
            try check(folder)
        }
        #expect(total > runs * 3)
        print("kills: \(runs), objects acknowledged: \(total)")
    }

    private func acknowledged(_ folder: TemporaryFolder) throws -> [String] {
        let text = String(decoding: try AtomicFile.read(folder("acknowledged")), as: UTF8.self)
        // The last line may be a part of one.
        return text.split(separator: "\n").map(String.init).filter { $0.count == 64 }
    }

    private func check(_ folder: TemporaryFolder) throws {
        var found: Set<String> = []
        let objects = folder("store/objects")
        for shard in try FileManager.default.contentsOfDirectory(atPath: objects) {
            for rest in try FileManager.default.contentsOfDirectory(atPath: "\(objects)/\(shard)") {
                let bytes = try AtomicFile.read("\(objects)/\(shard)/\(rest)")
                #expect(Digest(of: bytes).hex == shard + rest)
                found.insert(shard + rest)
            }
        }
        #expect(found.isSuperset(of: try acknowledged(folder)))
        _ = try FileObjectStore(root: folder("store"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("store/tmp")).isEmpty)
    }

    /// The words that started this process, with another filter.
    private static func ownWords(filter: String) throws -> [String] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "/proc/self/cmdline"))
        var words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        var kept: [String] = []
        while !words.isEmpty {
            let word = words.removeFirst()
            if word == "--filter" || word == "--skip" || word == "--xunit-output"
                || word == "--event-stream-output-path"
            {
                if !words.isEmpty { words.removeFirst() }
            } else {
                kept.append(word)
            }
        }
        return kept + ["--filter", filter]
    }
}

/// The same, many times.
@Suite(.enabled(if: environment["MODELWORKS_SOAK"] == "1"))
struct FileObjectStoreKillSoak {
    @Test func fiveHundredKills() throws { try FileObjectStoreKillTests().storm(runs: 500) }
}
