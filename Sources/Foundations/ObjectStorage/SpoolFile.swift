import Basics
import Foundation
import Synchronization

/// Bytes that wait on the local disk until it is known what they are. The file has no name, and so leaves nothing behind.
public final class SpoolFile: ObjectIntake {
    private struct State: ~Copyable {
        let file: OpenFile
        var digest: Digest.Builder? = Digest.Builder()
        var size: Int64 = 0
    }

    private let thread = BlockingThread(name: "spool")
    private let state: Mutex<State>

    /// Blocks while the file is made.
    /// - Parameter folder: on the disk with room for it; made where there is none.
    /// - Throws: `StorageFailure`.
    public init(in folder: String) throws {
        try Folder.make(folder)
        let file = try OpenFile(uniqueBeside: "\(folder)/.spool-")
        guard unlink(file.path) == 0 else { throw StorageFailure.system("taking the name from", file.path) }
        state = Mutex(State(file: file))
    }

    public func write(_ bytes: [UInt8]) async throws {
        try await thread.run { [self] in
            try state.withLock { state in
                try bytes.withUnsafeBytes { raw in
                    try state.file.writeAll(raw)
                    state.digest?.update(raw)
                }
                state.size += Int64(bytes.count)
            }
        }
    }

    /// What came. It is not kept beyond this object.
    public func finish() async throws -> (digest: Digest, size: Int64) {
        try state.withLock { state in
            guard let digest = state.digest.take()?.finish() else {
                throw StorageFailure.closed(store: "a file that was taken in before")
            }
            return (digest, state.size)
        }
    }

    /// The open file at its beginning; it is closed with this object.
    /// - Throws: `StorageFailure`.
    public func rewound() throws -> Int32 {
        try state.withLock { state in
            guard lseek(state.file.descriptor, 0, SEEK_SET) == 0 else {
                throw StorageFailure.system("rewinding", state.file.path)
            }
            return state.file.descriptor
        }
    }
}
