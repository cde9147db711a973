import Basics

/// What a look at one store of a factory found.
public struct StoreVerdict: Sendable, Codable, Hashable {
    /// `sql`, `objects`, `online`, `streams`, `jobs`, `offline`, or `anchor` where an address of its own is said.
    public var store: String
    /// Without secrets; nil where it can not be read.
    public var address: String?
    /// Such as `postgresql`.
    public var engine: String?
    public var version: String?
    /// How long a small question, or writing, reading and removing a small probe, took.
    public var latencySeconds: Double?
    /// More that is known of it, in a few words.
    public var detail: String?
    /// What is not as safe or as quick as it should be, each in a sentence or two.
    public var warnings: [String] = []
    /// Why it can not be used, and what to do; nil where it can.
    public var problem: String?

    /// Whether the store can be used; there may be warnings.
    public var isGood: Bool { problem == nil }

    init(store: String, address: String?) {
        self.store = store
        self.address = address
    }

    /// Everything but the warnings in one line.
    public var line: String {
        if let problem { return "\(store): \(problem)" }
        var text = "\(store): " + [engine, version].compactMap(\.self).joined(separator: " ")
        if let address { text += " at \(address)" }
        if let latencySeconds { text += ", \(Self.milliseconds(latencySeconds))" }
        if let detail { text += ", \(detail)" }
        return text
    }

    private static func milliseconds(_ seconds: Double) -> String {
        let tenths = (seconds * 1e4).rounded()
        guard tenths.isFinite, tenths >= 1 else { return "under 0.1 ms" }
        return "\(tenths / 10) ms"
    }
}
