import Basics
import HTTP
import Synchronization
import Telemetry

/// The limits of a server, and how much of each is used.
///
/// A limit counts predictions, which are what needs the right to ``Action/infer``: nobody is kept from stopping a model
/// because too much is asked of it. Of limits for the same things the one that names most counts, the others do not.
public final class RateLimits: Sendable {
    private final class Rule: Sendable {
        let limit: RateLimit
        let size: TokenBuckets.Size
        let principal: [UInt8]?
        let model: [UInt8]?
        /// Which limit a bucket belongs to: one that stays keeps its buckets, wherever it stands.
        let seed: Int

        init(_ limit: RateLimit) {
            self.limit = limit
            seed = limit.hashValue
            size = TokenBuckets.Size(rate: limit.rate, burst: limit.burst)
            principal = Rule.name(limit.principal)
            model = Rule.name(limit.model)
        }

        /// How many things it names.
        var names: Int { (principal == nil ? 0 : 1) + (model == nil ? 0 : 1) }

        private static func name(_ subject: RateLimit.Subject?) -> [UInt8]? {
            if case .named(let name) = subject { Array(name.utf8) } else { nil }
        }
    }

    /// Limits for the same kinds of things, those that name most first.
    private final class Group: Sendable {
        let countsPrincipals: Bool
        let countsModels: Bool
        let rules: [Rule]

        init(countsPrincipals: Bool, countsModels: Bool, _ limits: [RateLimit]) {
            self.countsPrincipals = countsPrincipals
            self.countsModels = countsModels
            let rules = limits.map(Rule.init)
            self.rules = rules.enumerated().sorted { ($1.element.names, $0.offset) < ($0.element.names, $1.offset) }
                .map(\.element)
        }
    }

    /// What is in force, never changed.
    private final class Plan: Sendable {
        let groups: [Group]
        let countsPrincipals: Bool

        init(_ limits: [RateLimit]) {
            groups = [(true, true), (true, false), (false, true), (false, false)].compactMap { principals, models in
                let own = limits.filter { ($0.principal != nil) == principals && ($0.model != nil) == models }
                return own.isEmpty ? nil : Group(countsPrincipals: principals, countsModels: models, own)
            }
            countsPrincipals = groups.contains(where: \.countsPrincipals)
        }
    }

    /// Where limits come from: each sets its own.
    public enum Origin: Int, Sendable {
        case server, definitions
    }

    private struct State {
        var limits: [Origin: [RateLimit]] = [:]
        /// Every plan there was: who reads one takes no count of it, so that none may go. They change when definitions do.
        var plans: [Plan] = []
    }

    private let state = Mutex(State())
    private let plan: Atomic<Unmanaged<Plan>?>
    private let buckets = TokenBuckets()
    private let monotonic: @Sendable () -> UInt64
    private let refusals: Counter

    /// - Parameter metrics: gets `modelworks_rate_limited_total`.
    public convenience init(_ limits: [RateLimit], metrics: MetricsRegistry = MetricsRegistry()) {
        self.init(limits, metrics: metrics) { SystemTime.monotonicNanoseconds }
    }

    init(_ limits: [RateLimit], metrics: MetricsRegistry, monotonic: @escaping @Sendable () -> UInt64) {
        self.monotonic = monotonic
        plan = Atomic(nil)
        refusals = metrics.counter("modelworks_rate_limited_total", help: "Requests refused because of a rate limit.")
        set(limits)
    }

    /// Puts other limits in the place of those of the same origin.
    public func set(_ limits: [RateLimit], of origin: Origin = .server) {
        state.withLock { state in
            guard state.limits[origin] ?? [] != limits else { return }
            state.limits[origin] = limits
            let all = state.limits.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap(\.value)
            let made = Plan(all)
            state.plans.append(made)
            plan.store(all.isEmpty ? nil : Unmanaged.passUnretained(made), ordering: .releasing)
        }
    }

    /// Counts a request.
    /// - Parameters:
    ///   - need: what the request needs; others than predictions are not counted.
    ///   - model: the name of the model or endpoint, where one is named.
    /// - Throws: ``RateLimited``; the request has then used nothing.
    public func take(_ principal: @autoclosure () -> String, for need: RouteNeed?, model: UnsafeRawBufferPointer?)
        throws(RateLimited)
    {
        guard let plan = plan.load(ordering: .acquiring), let need, need.action == Action.infer.rawValue else { return }
        // The handler will say which model is meant, and ask again.
        if model == nil, need.isNamedByHandler { return }
        let inForce = plan.takeUnretainedValue()
        try take(inForce.countsPrincipals ? principal() : "", model, of: inForce)
    }

    private func take(
        _ principal: String, _ model: UnsafeRawBufferPointer?, of plan: Plan
    ) throws(RateLimited) {
        let now = max(1, monotonic())
        var taken: [(key: UInt64, size: TokenBuckets.Size)] = []
        for group in plan.groups {
            guard !group.countsModels || model != nil,
                let rule = group.rules.first(where: { RateLimits.fits($0, principal, model) })
            else { continue }
            let key = RateLimits.key(
                rule, principal: group.countsPrincipals ? principal : nil, model: group.countsModels ? model : nil)
            if let wait = buckets.take(key, of: rule.size, now: now) {
                for (key, size) in taken { buckets.giveBack(key, of: size) }
                refusals.increment()
                throw RateLimited(limit: rule.limit, waitNanoseconds: wait)
            }
            if plan.groups.count > 1 { taken.append((key, rule.size)) }
        }
    }

    /// The same with a name as text.
    func take(_ principal: @autoclosure () -> String, for need: RouteNeed?, model: String?) throws(RateLimited) {
        guard var model else { return try take(principal(), for: need, model: UnsafeRawBufferPointer?.none) }
        let result = model.withUTF8 { bytes in
            Result { () throws(RateLimited) in
                try take(principal(), for: need, model: UnsafeRawBufferPointer(bytes))
            }
        }
        try result.get()
    }

    private static func fits(_ rule: Rule, _ principal: String, _ model: UnsafeRawBufferPointer?) -> Bool {
        if let name = rule.principal, !principal.utf8.elementsEqual(name) { return false }
        if let name = rule.model, !(model?.elementsEqual(name) ?? false) { return false }
        return true
    }

    private static func key(_ rule: Rule, principal: String?, model: UnsafeRawBufferPointer?) -> UInt64 {
        // Seeded anew in each process, so that nobody can choose names that share a bucket.
        var hasher = Hasher()
        hasher.combine(rule.seed)
        if let principal { hasher.combine(principal) }
        if let model {
            hasher.combine(model.count)
            hasher.combine(bytes: model)
        }
        return UInt64(UInt(bitPattern: hasher.finalize())) | 1
    }
}

/// A request that came too soon.
public struct RateLimited: HeadedFailure, Equatable {
    public let limit: RateLimit
    /// Whole seconds until there is room again, at least 1.
    public let retrySeconds: Int

    init(limit: RateLimit, waitNanoseconds: UInt64) {
        self.limit = limit
        retrySeconds = max(1, Int((Double(waitNanoseconds) / 1e9).rounded(.up)))
    }

    public var code: FailureCode { .resourceExhausted }

    public var message: String {
        let whose =
            switch (limit.principal, limit.model) {
            case (nil, nil): "of this server"
            case (_?, nil): "of this caller"
            case (nil, _?): "of this model"
            case (_?, _?): "of this caller at this model"
            }
        return "the rate limit \(whose) is reached: \(limit.rate.formattedShortly) requests a second"
    }

    public var remedy: String? { "Try again after \(retrySeconds) s" }

    /// `Retry-After` and the fields that gateways commonly send beside it.
    public var headers: HTTPHeaders {
        [
            "Retry-After": "\(retrySeconds)", "X-RateLimit-Limit": "\(limit.burst)", "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "\(retrySeconds)",
        ]
    }
}

extension Double {
    fileprivate var formattedShortly: String { self == rounded() ? "\(Int(self))" : "\(self)" }
}
