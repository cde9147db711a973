import Basics
import Foundation
import ObjectStorage
import Synchronization
import TestSupport
import Testing

@Suite struct RecordLogTests {
    private func record(_ index: Int) -> [UInt8] {
        (0..<(index * 7 % 23)).map { UInt8(truncatingIfNeeded: $0 &+ index &* 13) }
    }

    private func read(_ log: RecordLog, from position: RecordPosition = .start) throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        try log.forEach(from: position) { found.append([UInt8]($0.bytes)) }
        return found
    }

    private func segments(_ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".records") }.sorted()
    }

    /// A log of `count` records; returns its only segment's bytes and where each record ends.
    private func sample(_ folder: TemporaryFolder, _ count: Int) throws -> (path: String, bytes: [UInt8], ends: [Int]) {
        var ends: [Int] = []
        do {
            let log = try RecordLog(folder: folder("log"))
            for index in 0..<count {
                try log.append(record(index))
                ends.append(Int(log.end.offset))
            }
        }
        let path = folder("log/\(try segments(folder("log"))[0])")
        return (path, try AtomicFile.read(path), ends)
    }

    @Test func theFrameIsTheStatedOne() throws {
        let folder = try TemporaryFolder()
        let log = try RecordLog(folder: folder("log"))
        try log.append(Array("123456789".utf8))
        try log.append([])
        let bytes = try AtomicFile.read(folder("log/\(try segments(folder("log"))[0])"))
        // Worked out in Python from the definition of CRC-32C; its check value of "123456789" is 0xE3069283.
        #expect(
            bytes == [9, 0, 0, 0, 120, 210, 23, 87, 49, 50, 51, 52, 53, 54, 55, 56, 57, 0, 0, 0, 0, 199, 75, 103, 72])
    }

    @Test func recordsComeBackInOrderAcrossSegments() throws {
        let folder = try TemporaryFolder()
        var positions: [RecordPosition] = []
        do {
            let log = try RecordLog(folder: folder("log"), segmentBytes: 200)
            for index in 0..<100 { positions.append(try log.append(record(index))) }
            #expect(try read(log) == (0..<100).map(record))
        }
        #expect(try segments(folder("log")).count > 5)
        let log = try RecordLog(folder: folder("log"), segmentBytes: 200)
        for index in [0, 1, 50, 99] {
            #expect(try read(log, from: positions[index]) == (index..<100).map(record))
        }
        #expect(try read(log, from: log.end).isEmpty)
        var upTo: [[UInt8]] = []
        let next = try log.forEach(from: positions[10], upTo: positions[20]) { upTo.append([UInt8]($0.bytes)) }
        #expect(upTo == (10..<20).map(record) && next == positions[20])
        #expect(throws: StorageFailure.self) {
            try log.forEach(from: RecordPosition(offset: log.end.offset + 1)) { _ in }
        }
        #expect(try log.removeSegments(before: positions[50]) > 0)
        #expect(log.start <= positions[50])
        #expect(try read(log, from: positions[50]) == (50..<100).map(record))
        #expect(try read(log).last == record(99))
    }

    @Test func recordsLargerThanTheReadBufferComeBack() throws {
        let folder = try TemporaryFolder()
        let log = try RecordLog(folder: folder("log"))
        let records = [1, 300_000, 5, 1 << 20, 262_136, 262_144, 0].map {
            [UInt8](repeating: UInt8($0 % 251), count: $0)
        }
        for record in records { try log.append(record) }
        #expect(try read(log) == records)
        #expect(throws: StorageFailure.self) { try log.append([UInt8](repeating: 0, count: (64 << 20) + 1)) }
    }

    @Test func aTornTailIsCutOffAtEveryByte() throws {
        let folder = try TemporaryFolder()
        let (path, bytes, ends) = try sample(folder, 12)
        for cut in 0...bytes.count {
            try AtomicFile.write(path, Array(bytes[..<cut]))
            let whole = ends.filter { $0 <= cut }.count
            let log = try RecordLog(folder: folder("log"))
            #expect(try read(log) == (0..<whole).map(record), "cut at \(cut)")
            try log.append([42])
            #expect(try read(log) == (0..<whole).map(record) + [[42]], "cut at \(cut)")
        }
    }

    @Test func aTailOfZerosIsCutOff() throws {
        let folder = try TemporaryFolder()
        let (path, bytes, _) = try sample(folder, 12)
        try AtomicFile.write(path, bytes + [UInt8](repeating: 0, count: 4096))
        #expect(try read(try RecordLog(folder: folder("log"))) == (0..<12).map(record))
    }

    @Test func damageBeforeTheTailIsNamedAtEveryByte() throws {
        let folder = try TemporaryFolder()
        let (path, bytes, ends) = try sample(folder, 12)
        for offset in bytes.indices {
            var changed = bytes
            changed[offset] ^= 0x10
            try AtomicFile.write(path, changed)
            let index = ends.firstIndex { $0 > offset } ?? 0
            let start = index == 0 ? 0 : ends[index - 1]
            if index == 11 {
                #expect(try read(try RecordLog(folder: folder("log"))) == (0..<11).map(record), "byte \(offset)")
            } else {
                #expect("byte \(offset)") { _ = try RecordLog(folder: folder("log")) } throws: {
                    guard case .damaged(path, Int64(start), _)? = $0 as? StorageFailure else { return false }
                    return true
                }
                #expect(try AtomicFile.read(path) == changed)
            }
        }
    }

    @Test func damageInAnEarlierSegmentIsNamed() throws {
        let folder = try TemporaryFolder()
        do {
            let log = try RecordLog(folder: folder("log"), segmentBytes: 100)
            for index in 0..<40 { try log.append(record(index)) }
        }
        let first = folder("log/\(try segments(folder("log"))[0])")
        let bytes = try AtomicFile.read(first)
        var changed = bytes
        changed[bytes.count - 1] ^= 1
        try AtomicFile.write(first, changed)
        let log = try RecordLog(folder: folder("log"), segmentBytes: 100)
        #expect { _ = try read(log) } throws: { ($0 as? StorageFailure)?.code == .dataLoss }
        try AtomicFile.write(first, Array(bytes.dropLast()))
        let other = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: folder("log"), toPath: other("log"))
        #expect { _ = try RecordLog(folder: other("log")) } throws: { ($0 as? StorageFailure)?.code == .dataLoss }
    }

    @Test func aSecondOpenerIsRefused() throws {
        let folder = try TemporaryFolder()
        let log = try RecordLog(folder: folder("log"))
        #expect(throws: StorageFailure.inUse(path: folder("log"))) { _ = try RecordLog(folder: folder("log")) }
        withExtendedLifetime(log) {}
    }

    @Test func manyThreadsAppendWholeRecords() async throws {
        let folder = try TemporaryFolder()
        let log = try RecordLog(folder: folder("log"), segmentBytes: 10_000, flushMilliseconds: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for thread in 0..<8 {
                group.addTask {
                    for index in 0..<500 {
                        try log.append([UInt8](repeating: UInt8(thread), count: 1 + index % 50))
                        if index % 100 == 0 { try await log.sync() }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await log.sync()
        var counts = [Int](repeating: 0, count: 8)
        try log.forEach(from: .start) { record in
            let thread = record.bytes[0]
            #expect(record.bytes.count == 1 + counts[Int(thread)] % 50 && record.bytes.allSatisfy { $0 == thread })
            counts[Int(thread)] += 1
        }
        #expect(counts == [Int](repeating: 500, count: 8))
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskIsUndoneAndTheLogGoesOn() async throws {
        let disk = try SmallDisk(kilobytes: 64)
        let log = try RecordLog(folder: "\(disk.path)/log")
        var count = 0
        #expect {
            while true {
                try log.append([UInt8](repeating: 3, count: 5000))
                count += 1
            }
        } throws: {
            ($0 as? StorageFailure)?.code == .resourceExhausted
        }
        #expect(count > 3)
        #expect(try read(log).count == count)
        // Less than the room that the failed record gave back.
        try log.append([7])
        #expect(try read(log).count == count + 1)
        try await log.sync()
    }

    @Test func aReleasedLogCanBeOpenedAgainAtOnce() throws {
        let folder = try TemporaryFolder()
        let first = try RecordLog(folder: folder("log"))
        try first.append([1])
        first.release()
        let second = try RecordLog(folder: folder("log"))
        #expect(throws: StorageFailure.unusable(path: folder("log"), reason: "it was closed")) {
            try first.append([2])
        }
        try second.append([3])
        #expect(try read(second) == [[1], [3]])
    }
}
