import Basics

/// The system's time, except that it can not be set back: where the clock is moved back, time goes on from the last
/// start of this process as the monotonic clock tells it. An expired token so stays expired, and a clock that was ahead
/// by mistake and is put right leaves nobody shut out.
struct SteadyClock: Sendable {
    private let time: any TimeSource
    private let monotonic: @Sendable () -> UInt64
    private let startWall: Timestamp
    private let start: UInt64

    init(_ time: any TimeSource, monotonic: @escaping @Sendable () -> UInt64) {
        self.time = time
        self.monotonic = monotonic
        startWall = time.now
        start = monotonic()
    }

    var now: Timestamp {
        let passed = Int64(clamping: (monotonic() &- start) / 1000)
        let (least, over) = startWall.microseconds.addingReportingOverflow(passed)
        return over ? time.now : max(time.now, Timestamp(microseconds: least))
    }
}
