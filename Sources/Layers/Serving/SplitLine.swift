import Basics
import Records
import Registry

/// A split as requests meet it: the versions in memory, and where each exposure is kept before it is answered.
final class SplitLine: Sendable {
    let split: TrafficSplit
    /// One for each arm.
    let versions: [DeployedVersion]
    let records: any RecordChannel
    private let salt: UInt64
    /// A choice below the first belongs to the first challenger, and so on; what is above all of them is the control's.
    private let thresholds: [UInt64]

    /// - Parameter versions: those of the split's arms, in their order.
    init(_ split: TrafficSplit, versions: [DeployedVersion], records: any RecordChannel) {
        self.split = split
        self.versions = versions
        self.records = records
        salt = SplitMix.hash(split.id)
        var sum = 0.0
        thresholds = split.arms.dropFirst().map { arm in
            sum += arm.share
            return sum >= 1 ? .max : UInt64(max(0, sum) * 0x1p64)
        }
    }

    /// The arm of a request, by the hash of what stays with one arm.
    func arm(of choice: UInt64) -> Int {
        let place = SplitMix.mix(choice ^ salt)
        return thresholds.firstIndex { place < $0 }.map { $0 + 1 } ?? 0
    }

    /// Keeps that a request was given to its arm.
    func expose(
        _ choice: UInt64, unit: UnsafeRawBufferPointer, id: UnsafeRawBufferPointer, at time: Int64
    ) throws {
        let arm = arm(of: choice)
        guard split.arms.indices.contains(arm) else { return }
        try withUnsafeTemporaryAllocation(byteCount: ExposureRecord.bytesMax, alignment: 8) { buffer in
            let count = ExposureRecord.encode(
                into: buffer, arm: arm, version: split.arms[arm].version.version, time: time,
                propensity: split.arms[arm].share, split: salt, unit: unit, unitHash: choice, id: id)
            try records.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
