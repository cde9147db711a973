/// Bytes under construction that keep their memory from one answer to the next.
final class OutputBuffer {
    private var start: UnsafeMutableRawPointer
    private(set) var count = 0
    private var capacity: Int

    init(capacity: Int = 4096) {
        self.capacity = capacity
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { start.deallocate() }

    /// What has been written; valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// What an answer leaves behind at most.
    private static let keptMax = 4 << 20

    func clear() {
        count = 0
        guard capacity > Self.keptMax else { return }
        start.deallocate()
        capacity = 4096
        start = .allocate(byteCount: capacity, alignment: 16)
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        (start + count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// Lets `fill` write up to `capacity` bytes at the end; it returns how many it wrote.
    func append(capacity: Int, _ fill: (UnsafeMutablePointer<CChar>) -> Int) {
        guard capacity >= 0 else { return }
        reserve(capacity)
        count += min(capacity, max(0, fill((start + count).assumingMemoryBound(to: CChar.self))))
    }

    private func reserve(_ extra: Int) {
        guard count + extra > capacity else { return }
        capacity = max(capacity * 2, count + extra)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = larger
    }
}
