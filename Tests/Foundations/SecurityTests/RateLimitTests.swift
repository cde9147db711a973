import Basics
import Dispatch
import HTTP
import Synchronization
import Telemetry
import Testing

@testable import Security

/// A bucket of tokens as books describe it: it fills at a rate, holds so many, and each request takes one.
private struct BucketOracle {
    let rate: Double
    let burst: Double
    var tokens: Double
    var last: UInt64 = 0

    init(rate: Double, burst: Int, now: UInt64) {
        self.rate = rate
        self.burst = Double(burst)
        tokens = Double(burst)
        last = now
    }

    mutating func fill(_ now: UInt64) {
        tokens = min(burst, tokens + Double(now - last) * 1e-9 * rate)
        last = now
    }
}

@Suite struct RateLimitTests {
    private static let infer = RouteNeed.right(to: .infer, on: "endpoint", named: "name")

    @Test func limitsAreReadFromText() throws {
        let both = try RateLimit("principal+model:orders=2.5/10")
        #expect(both.principal == .each && both.model == .named("orders") && both.rate == 2.5 && both.burst == 10)
        #expect(try RateLimit("all=100").text == "all=100/100")
        #expect(try RateLimit("principal:service:shop=0.5").text == "principal:service:shop=0.5/1")
        #expect(try RateLimit("model=7/9") == RateLimit(principal: nil, model: .each, rate: 7, burst: 9))
        for text in [
            "", "all", "all=", "all=0", "all=-1", "all=nan", "all=1/0", "all=1/x", "all=1/2/3", "user=1",
            "model+model=1",
            "principal:=1", "all=1e9", "all=0.0001/1000", "all=inf",
        ] {
            #expect(throws: AccessFailure.self, "\(text)") { try RateLimit(text) }
        }
    }

    /// Random rates, bursts and times; where the oracle is within a millionth of a token of the edge either answer is right.
    @Test func bucketsLetThroughWhatTheOracleDoes() {
        var random = SplitMix(seed: 17)
        var (refused, passed) = (0, 0)
        for round in 0..<200 {
            let rate = [0.1, 1, 3, 17.5, 1000, 250_000][round % 6]
            let burst = [1, 2, 7, 100][round % 4]
            let size = TokenBuckets.Size(rate: rate, burst: burst)
            let buckets = TokenBuckets(places: 64)
            var now: UInt64 = 1_000_000_000
            var oracles: [UInt64: BucketOracle] = [:]
            for _ in 0..<500 {
                now += UInt64(Double.random(in: 0...(0.5e9 / rate), using: &random))
                let key = UInt64.random(in: 1...3, using: &random) &* 0x9E37_79B9_7F4A_7C15 | 1
                var oracle = oracles[key] ?? BucketOracle(rate: rate, burst: burst, now: now)
                oracle.fill(now)
                let wait = buckets.take(key, of: size, now: now)
                if wait == nil { passed += 1 } else { refused += 1 }
                if abs(oracle.tokens - 1) > 1e-6 { #expect((wait == nil) == (oracle.tokens >= 1)) }
                if let wait {
                    let expected = (1 - oracle.tokens) / rate * 1e9
                    #expect(abs(Double(wait) - expected) < max(100, expected * 1e-6))
                } else {
                    oracle.tokens -= 1
                }
                oracles[key] = oracle
            }
        }
        #expect(refused > 5000 && passed > 5000)
    }

    @Test func threadsTogetherTakeWhatThereIsAndNoMore() {
        let buckets = TokenBuckets()
        let size = TokenBuckets.Size(rate: 1, burst: 5000)
        let taken = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<2000 where buckets.take(77, of: size, now: 5_000_000_000) == nil {
                taken.add(1, ordering: .relaxed)
            }
        }
        #expect(taken.load(ordering: .acquiring) == 5000)
    }

    /// More keys than places: those that are full make room and lose nothing, and one in debt is kept while there are such.
    @Test func memoryIsBoundedAndFullBucketsAreForgottenFirst() {
        let buckets = TokenBuckets(places: 8)
        let size = TokenBuckets.Size(rate: 1, burst: 2)
        let second: UInt64 = 1_000_000_000
        #expect(buckets.take(1, of: size, now: second) == nil && buckets.take(1, of: size, now: second) == nil)
        for round in 0..<1000 as Range<UInt64> {
            // Three seconds later each is full again, so that the next may have its place.
            _ = buckets.take(1000 + round * 8, of: size, now: second * (1 + round * 3))
        }
        #expect(buckets.take(1, of: size, now: second * 3001) == nil)
        #expect(buckets.take(1, of: size, now: second * 3001) == nil)
        for other in 0..<6 as Range<UInt64> { _ = buckets.take(5000 + other * 8, of: size, now: second * 3001) }
        #expect(buckets.take(1, of: size, now: second * 3001) == second)
    }

    private static func taken(
        _ limits: RateLimits, _ principal: String, _ model: String?, need: RouteNeed? = infer
    ) -> Int? {
        do {
            try limits.take(principal, for: need, model: model)
            return nil
        } catch { return error.retrySeconds }
    }

    @Test func theLimitThatNamesMostCounts() throws {
        let now = Atomic<UInt64>(1_000_000_000)
        let limits = RateLimits(
            try ["principal=1/2", "principal:service:shop=1/4", "model:orders=1/5"].map { try RateLimit($0) },
            metrics: MetricsRegistry()
        ) { now.load(ordering: .acquiring) }
        func answers(_ principal: String, _ model: String?, _ count: Int) -> [Int?] {
            (0..<count).map { _ in Self.taken(limits, principal, model) }
        }
        #expect(answers("user:a", "other", 3) == [nil, nil, 1])
        #expect(answers("service:shop", "other", 5) == [nil, nil, nil, nil, 1])
        // Two callers share the limit of the model; what it refuses takes nothing from the caller.
        #expect(answers("user:b", "orders", 2) == [nil, nil])
        #expect(answers("user:c", "orders", 2) == [nil, nil])
        #expect(answers("user:d", "orders", 2) == [nil, 1])
        #expect(answers("user:d", "other", 2) == [nil, 1])
        now.store(3_000_000_000, ordering: .releasing)
        #expect(answers("user:a", "other", 3) == [nil, nil, 1])
        // What is no prediction is not counted.
        #expect((0..<9).allSatisfy { _ in Self.taken(limits, "user:a", "other", need: .right(to: .deploy)) == nil })
    }

    @Test func aLimitThatStaysKeepsWhatIsUsedOfIt() throws {
        let limits = RateLimits([try RateLimit("model=0.01/1")], metrics: MetricsRegistry()) { 1_000_000_000 }
        #expect(Self.taken(limits, "x", "m") == nil)
        limits.set([try RateLimit("all=100"), try RateLimit("model=0.01/1")])
        #expect(Self.taken(limits, "x", "m") == 100)
        limits.set([try RateLimit("model:m=1/1")], of: .definitions)
        #expect(Self.taken(limits, "x", "m") == nil)
        limits.set([])
        limits.set([], of: .definitions)
        #expect((0..<100).allSatisfy { _ in Self.taken(limits, "x", "m") == nil })
    }
}

/// Numbers that are the same in every run.
private struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
