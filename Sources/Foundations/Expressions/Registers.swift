/// Unboxed values: eight bytes each, and a flag that is 1 where there is none.
///
/// Register numbers come from the compiler, which hands out only numbers below the count, so they are not checked here.
struct Registers {
    private let slots: UnsafeMutablePointer<Int64>
    private let nulls: UnsafeMutablePointer<UInt8>

    init(count: Int) {
        slots = .allocate(capacity: max(1, count))
        slots.initialize(repeating: 0, count: max(1, count))
        nulls = .allocate(capacity: max(1, count))
        nulls.initialize(repeating: 1, count: max(1, count))
    }

    func deallocate() {
        slots.deallocate()
        nulls.deallocate()
    }

    func nullify(first count: Int) { nulls.update(repeating: 1, count: count) }

    @inline(__always) func null(_ register: Register) -> UInt8 { nulls[Int(register)] }
    @inline(__always) func integer(_ register: Register) -> Int64 { slots[Int(register)] }
    @inline(__always) func double(_ register: Register) -> Double {
        Double(bitPattern: UInt64(bitPattern: slots[Int(register)]))
    }
    @inline(__always) func boolean(_ register: Register) -> Bool { slots[Int(register)] != 0 }

    @inline(__always) func setNull(_ register: Register) { nulls[Int(register)] = 1 }

    @inline(__always) func set(_ register: Register, integer value: Int64, null: UInt8 = 0) {
        slots[Int(register)] = value
        nulls[Int(register)] = null
    }

    /// What is not finite is null.
    @inline(__always) func set(_ register: Register, double value: Double, null: UInt8 = 0) {
        slots[Int(register)] = Int64(bitPattern: value.bitPattern)
        nulls[Int(register)] = value.isFinite ? null : 1
    }

    @inline(__always) func set(_ register: Register, boolean value: Bool, null: UInt8 = 0) {
        slots[Int(register)] = value ? 1 : 0
        nulls[Int(register)] = null
    }

    @inline(__always) func move(_ source: Register, to target: Register) {
        slots[Int(target)] = slots[Int(source)]
        nulls[Int(target)] = nulls[Int(source)]
    }

    // A string is a place: the start in the upper 40 bits, the length in the lower 24.

    @inline(__always) func set(_ register: Register, start: Int, count: Int, null: UInt8 = 0) {
        slots[Int(register)] = Int64(start) << 24 | Int64(count)
        nulls[Int(register)] = null
    }

    /// The place of a string that is not null.
    @inline(__always) func span(_ register: Register) -> (start: Int, count: Int) {
        let slot = slots[Int(register)]
        return (Int(slot >> 24), Int(slot & 0xFF_FFFF))
    }
}
