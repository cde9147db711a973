import Foundation

/// Works out what each pattern costs and how soon it decides.
///
/// What is paid for is cores by the hour. An endpoint holds up so many that the busiest hour fills half of them, and never
/// fewer than its least number; a stream scorer the same with a higher load; a batch pays for its runs alone. The wait for an
/// endpoint is that of a queue with one server, whose time in the system at the 99th percentile is S ln(100) / (1 - load) for
/// exponential service times of mean S (M/M/1: L. Kleinrock, Queueing Systems I, 1975, section 3.2), which is more than several
/// cores and even times make of it.
struct CostModel {
    let workload: Workload
    let figures: CostAssumptions

    private static let hours = CostAssumptions.hoursPerMonth

    /// One for each of ``ServingPattern``, in its order.
    var all: [PatternCost] { [batch, stream, realTime, edge] }

    /// Processor time of an event of a stream, and of a row of a table.
    private var eventSeconds: Double { figures.eventSeconds.value + figures.rowSeconds.value }
    private var tableRowSeconds: Double { figures.batchShare.value * figures.rowSeconds.value }

    private var perMonth: Double { workload.perDay * Self.hours / 24 }

    private func cost(
        _ pattern: ServingPattern, fits: Bool, _ reason: String, soonest: Double, cores: Double, busySeconds: Double,
        paidCoreHours: Double, period: Double? = nil
    ) -> PatternCost {
        let price = paidCoreHours * figures.pricePerCoreHour.value
        return PatternCost(
            pattern: pattern, fits: fits, reason: reason, soonest: soonest, cores: cores,
            busyCoreHours: busySeconds / 3600, paidCoreHours: paidCoreHours, perMonth: price,
            perThousand: perMonth > 0 ? price / perMonth * 1000 : nil, period: period)
    }

    // MARK: What answers calls

    /// Replicas that answer calls of so many seconds each, and when the last of a hundred is back.
    private struct Service {
        let cores: Double
        let paidCoreHours: Double
        let soonest: Double
    }

    private func service(secondsPerCall: Double) -> Service {
        let load = figures.realTimeLoad.value
        let least = figures.replicas.value
        let callsAtPeak = workload.peakRate / workload.rowsPerCall
        let cores = max(least, (callsAtPeak * secondsPerCall / load).rounded(.up))
        let soonest = figures.networkSeconds.value + secondsPerCall * log(100) / max(1e-3, 1 - load)
        // Where the first caller after a rest can wait for a process to start, none is held up meanwhile.
        let resting = workload.latency >= soonest + figures.startSeconds.value ? 0 : least
        let active = workload.activeHours
        return Service(
            cores: cores, paidCoreHours: Self.hours * (active * cores + (24 - active) * resting) / 24,
            soonest: soonest)
    }

    private var realTime: PatternCost {
        let seconds = figures.callSeconds.value + workload.rowsPerCall * figures.rowSeconds.value
        let service = service(secondsPerCall: seconds)
        let fits = service.soonest <= workload.latency
        return cost(
            .realTime, fits: fits,
            fits
                ? "99 of 100 calls are back within \(CostText.time(service.soonest))"
                : "one of 100 calls takes longer than \(CostText.time(service.soonest)), the network included",
            soonest: service.soonest, cores: service.cores,
            busySeconds: perMonth / workload.rowsPerCall * seconds, paidCoreHours: service.paidCoreHours)
    }

    // MARK: What is made before it is asked for

    /// What reading answers costs that were made before; nil where they go out as they are made.
    private func lookUp(madeAfter soonest: Double) -> Service? {
        soonest <= workload.latency
            ? nil : service(secondsPerCall: figures.lookupSeconds.value * workload.rowsPerCall)
    }

    private var lookUpSeconds: Double { perMonth * figures.lookupSeconds.value }

    private var stream: PatternCost {
        let soonest = figures.streamSeconds.value
        let lookUp = lookUp(madeAfter: soonest)
        let least = figures.scorers.value
        let cores = max(
            least, (workload.peakRate * eventSeconds / figures.streamLoad.value).rounded(.up))
        let active = workload.activeHours
        let paid = Self.hours * (active * cores + (24 - active) * least) / 24
        let fits = soonest <= workload.freshness && (lookUp?.soonest ?? 0) <= workload.latency
        return cost(
            .stream, fits: fits,
            fits
                ? "events are scored within \(CostText.time(soonest))" + CostText.lookedUp(lookUp != nil)
                : "an event's score may take \(CostText.time(soonest))", soonest: soonest,
            cores: cores + (lookUp?.cores ?? 0),
            busySeconds: perMonth * eventSeconds + (lookUp == nil ? 0 : lookUpSeconds),
            paidCoreHours: paid + (lookUp?.paidCoreHours ?? 0))
    }

    private var batch: PatternCost {
        let rate = workload.perDay / 86_400
        let load = rate * tableRowSeconds
        // So many that a run takes at most half of the time until the next.
        let cores = max(1, (2 * load).rounded(.up))
        let (shortest, start) = (figures.shortestPeriodSeconds.value, figures.startSeconds.value)
        // A row waits a period for its run, and then the run: period + start + period * load / cores.
        let stretch = 1 + load / cores
        let soonest = shortest * stretch + start
        let longest = (workload.freshness - start) / stretch
        // A run a day says of its failures in time.
        let period = min(86_400, max(shortest, longest))
        let lookUp = lookUp(madeAfter: soonest)
        let run = cores * max(figures.billedSeconds.value, start + period * load / cores)
        let paid = workload.perDay > 0 ? Self.hours / period * run : 0
        let fits = longest >= shortest && (lookUp?.soonest ?? 0) <= workload.latency
        return cost(
            .batch, fits: fits,
            fits
                ? "a run every \(CostText.time(period)) is soon enough" + CostText.lookedUp(lookUp != nil)
                : "a run every \(CostText.time(shortest)) decides after up to \(CostText.time(soonest))",
            soonest: soonest,
            cores: cores + (lookUp?.cores ?? 0),
            busySeconds: perMonth * tableRowSeconds + (lookUp == nil ? 0 : lookUpSeconds),
            paidCoreHours: paid + (lookUp?.paidCoreHours ?? 0), period: period)
    }

    private var edge: PatternCost {
        let soonest = workload.rowsPerCall * figures.rowSeconds.value
        let busy = perMonth * figures.rowSeconds.value
        let fits = soonest <= workload.latency
        return cost(
            .edge, fits: fits,
            fits ? "no network stands between" : "the model alone takes \(CostText.time(soonest))", soonest: soonest,
            cores: 0, busySeconds: busy, paidCoreHours: busy / 3600)
    }
}

/// Words of reasons.
enum CostText {
    /// Seconds in the unit that fits, with three digits that count.
    static func time(_ seconds: Double) -> String {
        let units: [(from: Double, name: String, size: Double)] = [
            (86_400, "d", 86_400), (3600, "h", 3600), (120, "min", 60), (1, "s", 1), (1e-3, "ms", 1e-3),
        ]
        let unit = units.first { seconds >= $0.from * 0.9995 } ?? (0, "µs", 1e-6)
        let digits = seconds > 0 ? 2 - Int(log10(max(seconds, 1e-9) / unit.size).rounded(.down)) : 0
        let text = String(format: "%.\(max(0, min(2, digits)))f", seconds / unit.size)
        let short = text.contains(".") ? String(text.reversed().drop { $0 == "0" }.reversed()) : text
        return "\(short.hasSuffix(".") ? String(short.dropLast()) : short) \(unit.name)"
    }

    static func lookedUp(_ isLookedUp: Bool) -> String {
        isLookedUp ? ", and callers look answers up" : ""
    }
}
