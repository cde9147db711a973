import Basics

extension ScalarFrame {
    /// Conversions from and to strings.
    func convert(_ step: Instruction) {
        let r = registers
        let (target, a) = (step.target, step.a)
        guard r.null(a) == 0 else { return r.setNull(target) }
        switch step.operation {
        case .integerToString: give(String(r.integer(a)), to: target)
        case .doubleToString: give(r.double(a).description, to: target)
        case .floatToString: give(Float(r.double(a)).description, to: target)
        case .booleanToString: give(r.boolean(a) ? "true" : "false", to: target)
        case .timestampToString: give(Timestamp(microseconds: r.integer(a)).description, to: target)
        case .stringToInteger:
            let value = Int64(trimmed(a))
            r.set(target, integer: value ?? 0, null: value == nil ? 1 : 0)
        case .stringToDouble: r.set(target, double: number(a) ?? .nan)
        case .stringToFloat: r.set(target, double: number(a).map { Double(Float($0)) } ?? .nan)
        case .stringToBoolean:
            let word = trimmed(a).lowercased()
            r.set(target, boolean: word == "true", null: word == "true" || word == "false" ? 0 : 1)
        case .stringToTimestamp:
            let moment = Timestamp(trimmed(a))
            r.set(target, integer: moment?.microseconds ?? 0, null: moment == nil ? 1 : 0)
        default: r.setNull(target)
        }
    }

    /// Without ASCII white space at the ends.
    private func trimmed(_ source: Register) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        let text = text(source)
        guard let start = text.firstIndex(where: { !isSpace($0) }), let end = text.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: text[start...end], as: UTF8.self)
    }

    /// A decimal number; the words and hexadecimal forms that Swift reads are no numbers here.
    private func number(_ source: Register) -> Double? {
        let text = trimmed(source)
        guard text.utf8.allSatisfy({ (48...57).contains($0) || [43, 45, 46, 69, 101].contains($0) }) else { return nil }
        return Double(text)
    }
}
