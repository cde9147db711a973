/// Memory of tensors that never changes once it is made, wherever it came from.
///
/// The bytes are only written while the object is being made, which is why it may cross threads.
public final class TensorStorage: @unchecked Sendable {
    /// Aligned to 16 bytes where this object allocated it, from ``vectorBytes`` on to 64.
    public let bytes: UnsafeRawBufferPointer
    private let release: (@Sendable () -> Void)?

    /// From here on the runtimes' vector loops gain more by an aligned start than the allocator takes for it.
    private static let vectorBytes = 1024

    /// Allocates `count` bytes and lets `fill` write them all.
    public init(count: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(count, 1), alignment: count < Self.vectorBytes ? 16 : 64)
        do {
            try fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<max(count, 0)]))
        } catch {
            memory.deallocate()
            throw error
        }
        bytes = UnsafeRawBufferPointer(rebasing: memory[..<max(count, 0)])
        release = nil
    }

    /// Takes over memory that belongs to a runtime.
    ///
    /// - Parameter release: called once, when nobody needs the bytes any more.
    public init(owning bytes: UnsafeRawBufferPointer, release: @escaping @Sendable () -> Void) {
        self.bytes = bytes
        self.release = release
    }

    /// A copy of `source`.
    public convenience init(copying source: UnsafeRawBufferPointer) {
        self.init(count: source.count) { $0.copyMemory(from: source) }
    }

    deinit {
        if let release {
            release()
        } else {
            bytes.baseAddress?.deallocate()
        }
    }
}
