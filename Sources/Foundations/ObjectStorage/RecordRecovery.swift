import Basics
import Foundation

/// Finds the sound end of a log's last segment after a crash.
enum RecordRecovery {
    /// Cuts off a torn record at the end of the segment.
    /// - Returns: the length of the sound part, to which the file is now cut.
    /// - Throws: `StorageFailure.damaged` where sound records follow the unsound one: that is no torn tail, and cutting
    ///   it off would lose them.
    static func recover(_ segment: RecordSegment, frame: RecordFrame) throws -> Int64 {
        let file = try OpenFile(segment.path, O_RDWR)
        let size = Int64(try file.status().st_size)
        let sound = try soundBytes(segment, frame: frame, size: size)
        if sound < size {
            guard ftruncate(file.descriptor, off_t(sound)) == 0 else {
                throw StorageFailure.system("cutting the torn end off", segment.path)
            }
            try file.sync()
        }
        return sound
    }

    /// The length of the sound part of a segment of so many bytes, which is read only.
    /// - Throws: as ``recover(_:frame:)``.
    static func soundBytes(_ segment: RecordSegment, frame: RecordFrame, size: Int64) throws -> Int64 {
        do {
            try segment.forEach(from: 0, to: size, frame: frame) { _ in }
            return size
        } catch StorageFailure.damaged(let path, let offset, let reason) {
            let file = try OpenFile(segment.path, O_RDONLY)
            let tail = Int(size - offset)
            let bytes = try [UInt8](unsafeUninitializedCapacity: tail) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
            }
            guard bytes.withUnsafeBytes({ isTorn($0, frame) }) else {
                throw StorageFailure.damaged(path: path, offset: offset, reason: reason)
            }
            return offset
        }
    }

    /// Whether no chain of sound records reaches the end from anywhere behind the unsound one. A damaged length may
    /// claim bytes of the records that follow, so every offset is tried.
    private static func isTorn(_ tail: UnsafeRawBufferPointer, _ frame: RecordFrame) -> Bool {
        guard tail.count > RecordFrame.headerBytes else { return true }
        return !(1..<tail.count).contains { start in
            var rest = UnsafeRawBufferPointer(rebasing: tail[start...])
            while !rest.isEmpty {
                guard case .record(let count) = frame.read(rest) else { return false }
                rest = UnsafeRawBufferPointer(rebasing: rest[(RecordFrame.headerBytes + count)...])
            }
            return true
        }
    }
}
