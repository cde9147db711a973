import CMalloc

/// How the C library's allocator deals with memory that is freed. Each is for the whole process, and told once, before the
/// work begins; the numbers are those of mallopt(3).
enum HeapSettings {
    /// For many small requests: small pieces join their neighbours when they are freed. Kept apart, all of them are swept
    /// together whenever a runtime asks for aligned memory, which is many times in each request.
    static func forRequests() {
        mallopt(M_MXFAST, 0)
    }

    /// For large batches one after the other: what a batch leaves is kept for the next instead of being handed back to the
    /// kernel, which would clear each page again.
    static func forBatches() {
        mallopt(M_MMAP_THRESHOLD, 32 << 20)
        mallopt(M_TRIM_THRESHOLD, 256 << 20)
        mallopt(M_TOP_PAD, 16 << 20)
        mallopt(M_ARENA_MAX, 4)
    }
}
