import Basics
import Foundation

extension ScalarFrame {
    /// Functions of strings, and conversions from and to them.
    func executeString(_ step: Instruction) {
        let r = registers
        let (target, a, b) = (step.target, step.a, step.b)
        let both = r.null(a) | r.null(b)
        switch step.operation {
        case .equalString: r.set(target, boolean: compare(a, b) == 0, null: both)
        case .unequalString: r.set(target, boolean: compare(a, b) != 0, null: both)
        case .lessString: r.set(target, boolean: compare(a, b) < 0, null: both)
        case .lessOrEqualString: r.set(target, boolean: compare(a, b) <= 0, null: both)
        case .leastString: pick(target, a, b, first: compare(a, b) <= 0)
        case .greatestString: pick(target, a, b, first: compare(a, b) >= 0)
        case .startsWith:
            let (text, start) = (text(a), text(b))
            r.set(target, boolean: ByteSearch.holds(text, start, at: 0), null: both)
        case .endsWith:
            let (text, end) = (text(a), text(b))
            r.set(target, boolean: ByteSearch.holds(text, end, at: text.count - end.count), null: both)
        case .contains: r.set(target, boolean: ByteSearch(text(b)).first(in: text(a), from: 0) != nil, null: both)
        case .length:
            r.set(target, integer: text(a).reduce(into: 0) { $0 += $1 & 0xC0 == 0x80 ? 0 : 1 }, null: r.null(a))
        case .hashBucket:
            let count = r.integer(b)
            // FNV-1a: Fowler, Noll and Vo, draft-eastlake-fnv.
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            for byte in text(a) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
            r.set(target, integer: count < 1 ? 0 : Int64(hash % count.magnitude), null: both | (count < 1 ? 1 : 0))
        case .trim: trim(a, into: target)
        case .substring: substring(step)
        case .concat: concat(a, b, into: target)
        case .replace: replace(step)
        case .lower: letters(a, into: target, 65...90) { $0.lowercased() }
        case .upper: letters(a, into: target, 97...122) { $0.uppercased() }
        default: convert(step)
        }
    }

    private func compare(_ a: Register, _ b: Register) -> Int {
        let (left, right) = (text(a), text(b))
        let common = Swift.min(left.count, right.count)
        if common > 0, let x = left.baseAddress, let y = right.baseAddress {
            let order = memcmp(x, y, common)
            if order != 0 { return Int(order) }
        }
        return left.count - right.count
    }

    /// A string that is a part of another shares its bytes.
    private func trim(_ source: Register, into target: Register) {
        guard registers.null(source) == 0 else { return registers.setNull(target) }
        func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
        let text = text(source)
        let start = text.firstIndex { !isSpace($0) } ?? text.count
        let end = text.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? start
        registers.set(target, start: registers.span(source).start + start, count: end - start)
    }

    private func substring(_ step: Instruction) {
        let r = registers
        let (from, count) = (r.integer(step.b), r.integer(step.c))
        guard r.null(step.a) | r.null(step.b) | r.null(step.c) == 0, count >= 0 else { return r.setNull(step.target) }
        let (sum, over) = from.addingReportingOverflow(count)
        let end = over ? Int64.max : sum
        var (position, first, last) = (Int64(0), 0, 0)
        let text = text(step.a)
        var found = false
        for (index, byte) in text.enumerated() {
            if byte & 0xC0 != 0x80 { position += 1 }
            guard position >= from, position < end else {
                if found { break }
                continue
            }
            if !found { (first, found) = (index, true) }
            last = index + 1
        }
        r.set(step.target, start: r.span(step.a).start + first, count: last - first)
    }

    private func concat(_ a: Register, _ b: Register, into target: Register) {
        let r = registers
        guard r.null(a) | r.null(b) == 0 else { return r.setNull(target) }
        let (left, right) = (r.span(a), r.span(b))
        let count = left.count + right.count
        // A left part at the very end grows where it is, so that many parts are not copied again and again.
        let grows = left.start >= scratchStart && left.start + left.count == byteCount
        let added = grows ? right.count : count
        guard count <= ExpressionLimits.stringBytes, allows(added) else { return r.setNull(target) }
        reserve(added)
        var end = bytes + byteCount
        if !grows {
            end.copyMemory(from: bytes + left.start, byteCount: left.count)
            end += left.count
        }
        end.copyMemory(from: bytes + right.start, byteCount: right.count)
        r.set(target, start: grows ? left.start : byteCount, count: count)
        take(added)
    }

    private func replace(_ step: Instruction) {
        let r = registers
        guard r.null(step.a) | r.null(step.b) | r.null(step.c) == 0 else { return r.setNull(step.target) }
        let search = ByteSearch(text(step.b))
        guard search.count > 0 else { return r.move(step.a, to: step.target) }
        var places: [Int] = []
        var from = 0
        while let place = search.first(in: text(step.a), from: from) {
            places.append(place)
            from = place + search.count
        }
        guard !places.isEmpty else { return r.move(step.a, to: step.target) }
        let (source, new) = (r.span(step.a), r.span(step.c))
        let count = source.count + places.count * (new.count - search.count)
        guard allows(count) else { return r.setNull(step.target) }
        reserve(count)
        var end = bytes + byteCount
        var done = 0
        for place in places + [source.count] {
            end.copyMemory(from: bytes + source.start + done, byteCount: place - done)
            end += place - done
            done = place + search.count
            guard place < source.count else { break }
            end.copyMemory(from: bytes + new.start, byteCount: new.count)
            end += new.count
        }
        r.set(step.target, start: byteCount, count: count)
        take(count)
    }

    /// Changes the case: of ASCII in place of the copy, of other letters by the Unicode standard's full mapping.
    private func letters(
        _ source: Register, into target: Register, _ range: ClosedRange<UInt8>, _ mapping: (String) -> String
    ) {
        guard registers.null(source) == 0 else { return registers.setNull(target) }
        let text = text(source)
        guard text.allSatisfy({ $0 < 128 }) else {
            return give(mapping(String(decoding: text, as: UTF8.self)), to: target)
        }
        let (start, count) = registers.span(source)
        guard allows(count) else { return registers.setNull(target) }
        reserve(count)
        for index in 0..<count {
            let byte = bytes.load(fromByteOffset: start + index, as: UInt8.self)
            let changed = range.contains(byte) ? byte ^ 0x20 : byte
            bytes.storeBytes(of: changed, toByteOffset: byteCount + index, as: UInt8.self)
        }
        registers.set(target, start: byteCount, count: count)
        take(count)
    }

    /// Makes a computed string a register's value, or null where it would be too long.
    func give(_ text: String, to target: Register) {
        guard allows(text.utf8.count) else { return registers.setNull(target) }
        store(text, in: target)
    }
}
