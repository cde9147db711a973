import Basics
import Foundation

/// How many predictions may be asked for: so many a second on average, and so many at once after a rest.
public struct RateLimit: Sendable, Hashable, Codable {
    /// Whom or what a limit is for.
    public enum Subject: Sendable, Hashable, Codable {
        /// Each by itself.
        case each
        /// One by its name, in place of a limit for each.
        case named(String)
    }

    /// Nil: all principals together.
    public var principal: Subject?
    /// A model or an endpoint. Nil: all together.
    public var model: Subject?
    /// Requests a second.
    public var rate: Double
    /// How many may come at once.
    public var burst: Int

    /// The longest time in which an empty bucket fills.
    private static let secondsMax = 30 * 86_400.0

    /// - Throws: `AccessFailure.badLimit`.
    public init(principal: Subject?, model: Subject?, rate: Double, burst: Int? = nil) throws(AccessFailure) {
        self.principal = principal
        self.model = model
        self.rate = rate
        guard rate > 0, rate <= 1e6 else { throw .badLimit("\(rate) requests a second") }
        self.burst = burst ?? max(1, Int(rate.rounded(.up)))
        guard self.burst >= 1, Double(self.burst) / rate <= RateLimit.secondsMax else {
            throw .badLimit("\(self.burst) at once and \(rate) a second")
        }
    }

    /// Reads `KEY=RATE` or `KEY=RATE/BURST`, where the key is `all`, or `principal`, `model` or `principal+model`, each for
    /// itself or, as `model:NAME`, for one.
    /// - Throws: `AccessFailure.badLimit`.
    public init(_ text: String) throws(AccessFailure) {
        guard let sign = text.lastIndex(of: "=") else { throw .badLimit(text) }
        let numbers = text[text.index(after: sign)...].split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(numbers.count), let rate = numbers.first.flatMap({ Double($0) }), rate.isFinite else {
            throw .badLimit(text)
        }
        var burst: Int?
        if numbers.count == 2 {
            burst = numbers.last.flatMap { Int($0) }
            guard burst != nil else { throw .badLimit(text) }
        }
        var subjects: [String: Subject] = [:]
        let key = text[..<sign]
        if key != "all" {
            for part in key.split(separator: "+", omittingEmptySubsequences: false) {
                let words = part.split(separator: ":", maxSplits: 1).map(String.init)
                guard let kind = words.first, kind == "principal" || kind == "model", subjects[kind] == nil,
                    words.count == 2 || !part.contains(":")
                else { throw .badLimit(text) }
                subjects[kind] = words.count == 2 ? .named(words[1]) : .each
            }
        }
        try self.init(principal: subjects["principal"], model: subjects["model"], rate: rate, burst: burst)
    }

    /// Such as `principal+model:orders=100/200`.
    public var text: String {
        func part(_ kind: String, _ subject: Subject?) -> String? {
            switch subject {
            case nil: nil
            case .each: kind
            case .named(let name): "\(kind):\(name)"
            }
        }
        let key = [part("principal", principal), part("model", model)].compactMap(\.self).joined(separator: "+")
        let number = rate == rate.rounded() ? "\(Int(rate))" : "\(rate)"
        return "\(key.isEmpty ? "all" : key)=\(number)/\(burst)"
    }
}
