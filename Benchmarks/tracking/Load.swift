import Basics
import Foundation
import Synchronization

/// Calls of a server again and again, by so many clients at once, each on a connection and a thread of its own.
final class Load: Sendable {
    /// Makes the call of a number that no other call has.
    typealias Call = @Sendable (Wire, Int) throws -> Void

    /// What came of it.
    struct Outcome {
        /// Seconds from the first call to the last answer.
        var seconds: Double
        /// Seconds of each call, ascending.
        var calls: [Double]

        /// Seconds that a call took of the whole, over all clients.
        var each: Double { seconds / Double(max(1, calls.count)) }
        var p50: Double { quantile(0.5) }
        var p99: Double { quantile(0.99) }

        private func quantile(_ part: Double) -> Double {
            calls.isEmpty ? .nan : calls[min(calls.count - 1, Int(Double(calls.count) * part))]
        }
    }

    private let port: Int
    private let acknowledgesAtOnce: Bool
    private let until: UInt64
    private let total: Int
    private let call: Call
    private let number = Atomic<Int>(0)
    private let gathered = Mutex<(calls: [Double], failure: (any Error)?)>(([], nil))

    private init(_ server: TrackingServer, seconds: Double, total: Int, acknowledgesAtOnce: Bool, call: @escaping Call)
    {
        port = server.port
        self.acknowledgesAtOnce = acknowledgesAtOnce
        self.total = total
        self.call = call
        until = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
    }

    /// - Parameters:
    ///   - seconds: after which no call is begun.
    ///   - total: how many calls all clients make at most.
    static func run(
        _ server: TrackingServer, clients: Int = 1, seconds: Double, total: Int = .max,
        acknowledgesAtOnce: Bool = true, _ call: @escaping Call
    ) throws -> Outcome {
        let begun = SystemTime.monotonicNanoseconds
        let load = Load(server, seconds: seconds, total: total, acknowledgesAtOnce: acknowledgesAtOnce, call: call)
        let done = DispatchGroup()
        for _ in 0..<clients {
            done.enter()
            Thread {
                load.drive()
                done.leave()
            }.start()
        }
        done.wait()
        let took = Double(SystemTime.monotonicNanoseconds - begun) / 1e9
        let (calls, failure) = load.gathered.withLock { $0 }
        if let failure { throw failure }
        return Outcome(seconds: took, calls: calls.sorted())
    }

    private func drive() {
        var calls: [Double] = []
        var failure: (any Error)?
        do {
            let wire = try Wire(port: port, acknowledgesAtOnce: acknowledgesAtOnce)
            var now = SystemTime.monotonicNanoseconds
            while now < until {
                let next = number.wrappingAdd(1, ordering: .relaxed).newValue
                guard next <= total else { break }
                try call(wire, next)
                let end = SystemTime.monotonicNanoseconds
                calls.append(Double(end - now) / 1e9)
                now = end
            }
        } catch { failure = error }
        gathered.withLock {
            $0.calls += calls
            if let failure { $0.failure = failure }
        }
    }
}
