import Foundation

extension ScalarFrame {
    /// Computes all outputs from the inputs that were set since `reset`.
    public func run() {
        scratchStart = byteCount
        program.code.withUnsafeBufferPointer { execute($0) }
    }

    /// Jumps only lead forward, so every run ends.
    private func execute(_ code: UnsafeBufferPointer<Instruction>) {
        let r = registers
        var next = 0
        while next < code.count {
            let step = code[next]
            next += 1
            let (target, a, b) = (step.target, step.a, step.b)
            switch step.operation {
            case .move: r.move(a, to: target)
            case .jump: next = Int(step.extra)
            case .jumpUnlessTrue: if r.null(a) != 0 || !r.boolean(a) { next = Int(step.extra) }
            case .jumpUnlessNull: if r.null(a) == 0 { next = Int(step.extra) }
            case .mark: scratchStart = byteCount
            case .keep: keep(step.extra == 1 ? a : nil)

            case .addInteger:
                let (value, over) = r.integer(a).addingReportingOverflow(r.integer(b))
                r.set(target, integer: value, null: r.null(a) | r.null(b) | (over ? 1 : 0))
            case .subtractInteger:
                let (value, over) = r.integer(a).subtractingReportingOverflow(r.integer(b))
                r.set(target, integer: value, null: r.null(a) | r.null(b) | (over ? 1 : 0))
            case .multiplyInteger:
                let (value, over) = r.integer(a).multipliedReportingOverflow(by: r.integer(b))
                r.set(target, integer: value, null: r.null(a) | r.null(b) | (over ? 1 : 0))
            case .divideInteger:
                let (x, y) = (r.integer(a), r.integer(b))
                let (quotient, bad) = x.dividedReportingOverflow(by: y)
                let down: Int64 = !bad && (x < 0) != (y < 0) && quotient &* y != x ? 1 : 0
                r.set(target, integer: quotient &- down, null: r.null(a) | r.null(b) | (bad ? 1 : 0))
            case .moduloInteger:
                let (x, y) = (r.integer(a), r.integer(b))
                // The overflow of Int64.min % -1 still gives the right remainder, 0.
                let remainder = y == 0 ? 0 : x.remainderReportingOverflow(dividingBy: y).partialValue
                let up = remainder != 0 && (remainder < 0) != (y < 0) ? y : 0
                r.set(target, integer: remainder &+ up, null: r.null(a) | r.null(b) | (y == 0 ? 1 : 0))
            case .negateInteger:
                r.set(target, integer: 0 &- r.integer(a), null: r.null(a) | (r.integer(a) == .min ? 1 : 0))
            case .absInteger:
                let value = r.integer(a)
                r.set(target, integer: value < 0 ? 0 &- value : value, null: r.null(a) | (value == .min ? 1 : 0))
            case .signInteger: r.set(target, integer: r.integer(a).signum(), null: r.null(a))
            case .clampInteger:
                let (low, high) = (r.integer(b), r.integer(step.c))
                let null = r.null(a) | r.null(b) | r.null(step.c) | (low > high ? 1 : 0)
                r.set(target, integer: Swift.min(Swift.max(r.integer(a), low), high), null: null)
            case .leastInteger:
                pick(target, a, b, first: r.integer(a) <= r.integer(b))
            case .greatestInteger:
                pick(target, a, b, first: r.integer(a) >= r.integer(b))

            case .addDouble: r.set(target, double: r.double(a) + r.double(b), null: r.null(a) | r.null(b))
            case .subtractDouble: r.set(target, double: r.double(a) - r.double(b), null: r.null(a) | r.null(b))
            case .multiplyDouble: r.set(target, double: r.double(a) * r.double(b), null: r.null(a) | r.null(b))
            case .divideDouble: r.set(target, double: r.double(a) / r.double(b), null: r.null(a) | r.null(b))
            case .moduloDouble:
                let y = r.double(b)
                let remainder = r.double(a).truncatingRemainder(dividingBy: y)
                let result =
                    remainder == 0
                    ? Double(signOf: y, magnitudeOf: 0) : (remainder < 0) == (y < 0) ? remainder : remainder + y
                r.set(target, double: remainder.isNaN ? .nan : result, null: r.null(a) | r.null(b))
            case .negateDouble: r.set(target, double: -r.double(a), null: r.null(a))
            case .absDouble: r.set(target, double: r.double(a).magnitude, null: r.null(a))
            case .signDouble:
                let value = r.double(a)
                r.set(target, integer: value > 0 ? 1 : value < 0 ? -1 : 0, null: r.null(a))
            case .clampDouble:
                let (low, high) = (r.double(b), r.double(step.c))
                let null = r.null(a) | r.null(b) | r.null(step.c) | (low > high ? 1 : 0)
                r.set(target, double: Swift.min(Swift.max(r.double(a), low), high), null: null)
            case .leastDouble: pick(target, a, b, first: r.double(a) <= r.double(b))
            case .greatestDouble: pick(target, a, b, first: r.double(a) >= r.double(b))

            case .equalInteger: r.set(target, boolean: r.integer(a) == r.integer(b), null: r.null(a) | r.null(b))
            case .unequalInteger: r.set(target, boolean: r.integer(a) != r.integer(b), null: r.null(a) | r.null(b))
            case .lessInteger: r.set(target, boolean: r.integer(a) < r.integer(b), null: r.null(a) | r.null(b))
            case .lessOrEqualInteger:
                r.set(target, boolean: r.integer(a) <= r.integer(b), null: r.null(a) | r.null(b))
            case .equalDouble: r.set(target, boolean: r.double(a) == r.double(b), null: r.null(a) | r.null(b))
            case .unequalDouble: r.set(target, boolean: r.double(a) != r.double(b), null: r.null(a) | r.null(b))
            case .lessDouble: r.set(target, boolean: r.double(a) < r.double(b), null: r.null(a) | r.null(b))
            case .lessOrEqualDouble: r.set(target, boolean: r.double(a) <= r.double(b), null: r.null(a) | r.null(b))

            case .and:
                let (x, y) = (truth(a), truth(b))
                r.set(target, boolean: x == 1 && y == 1, null: x == 0 || y == 0 ? 0 : (x | y) >> 1)
            case .or:
                let (x, y) = (truth(a), truth(b))
                r.set(target, boolean: x == 1 || y == 1, null: x == 1 || y == 1 ? 0 : (x | y) >> 1)
            case .not: r.set(target, boolean: !r.boolean(a), null: r.null(a))
            case .isNull: r.set(target, boolean: r.null(a) != 0)
            case .isNotNull: r.set(target, boolean: r.null(a) == 0)
            case .nullWhere:
                let equal = r.null(b) == 0 && r.boolean(b)
                r.move(a, to: target)
                if equal { r.setNull(target) }

            case .integerToDouble: r.set(target, double: Double(r.integer(a)), null: r.null(a))
            case .doubleToInteger:
                let value = Int64(exactly: r.double(a).rounded(.towardZero))
                r.set(target, integer: value ?? 0, null: r.null(a) | (value == nil ? 1 : 0))
            case .doubleToFloat: r.set(target, double: Double(Float(r.double(a))), null: r.null(a))
            case .integerToFloat: r.set(target, double: Double(Float(r.integer(a))), null: r.null(a))
            case .integerToBoolean: r.set(target, boolean: r.integer(a) != 0, null: r.null(a))
            case .doubleToBoolean: r.set(target, boolean: r.double(a) != 0, null: r.null(a))

            case .round, .roundDigits, .floor, .ceil, .truncate, .squareRoot, .exp, .ln, .log10, .log2, .power, .sine,
                .cosine, .tangent, .arcTangent, .radians, .degrees, .sigmoid, .haversine, .bucket:
                executeMathematics(step)
            case .hour, .minute, .dayOfWeek, .day, .month, .year, .epochSeconds, .elapsed, .timestampOfInteger,
                .timestampOfDouble:
                executeTime(step)
            case .leastString, .greatestString, .equalString, .unequalString, .lessString, .lessOrEqualString,
                .integerToString, .doubleToString, .floatToString, .booleanToString, .timestampToString,
                .stringToInteger, .stringToDouble, .stringToFloat, .stringToBoolean, .stringToTimestamp, .lower,
                .upper, .length, .trim, .concat, .startsWith, .endsWith, .contains, .substring, .replace, .hashBucket:
                executeString(step)
            }
        }
    }

    /// 0 for false, 1 for true, 2 for null.
    @inline(__always) private func truth(_ register: Register) -> UInt8 {
        registers.null(register) != 0 ? 2 : registers.boolean(register) ? 1 : 0
    }

    /// The first of two values or the second; the other one where one is null.
    @inline(__always) func pick(_ target: Register, _ a: Register, _ b: Register, first: Bool) {
        let first = registers.null(b) != 0 || (first && registers.null(a) == 0)
        registers.move(first ? a : b, to: target)
    }
}
