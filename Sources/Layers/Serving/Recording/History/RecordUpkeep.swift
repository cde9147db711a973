import Basics
import Records
import Telemetry

/// Takes the records of answers out of their logs into Parquet, and deletes what is older than it is kept.
public struct RecordUpkeep: Sendable {
    private let channels: RecordChannels
    private let requests: RequestRecords
    private let time: any TimeSource
    private static let kinds = KeptPrediction.Kind.allCases.map(\.channel)

    public init(_ channels: RecordChannels, requests: RequestRecords, time: any TimeSource) {
        self.channels = channels
        self.requests = requests
        self.time = time
    }

    /// Does what is due.
    /// - Parameter all: takes also what lies in the segments that are being written; else whole segments alone.
    /// - Throws: what reading and writing throw; the records are then where they were.
    public func compact(all: Bool) async throws -> LocalRecords.Compacted {
        let now = time.now.microseconds
        return try await channels.compact(Self.kinds, all: all) { [requests] kind, name in
            guard let days = requests.keepDays(kind, name) else { return nil }
            let (microseconds, isLong) = Int64(days).multipliedReportingOverflow(by: 86_400_000_000)
            let (moment, isEarly) = now.subtractingReportingOverflow(microseconds)
            return isLong || isEarly ? nil : Timestamp(microseconds: moment)
        }
    }

    /// Takes whole segments every minute, and everything every hour, until the task is cancelled.
    public func work(log: Logger) async {
        var minutes = 0
        while true {
            try? await Task.sleep(for: .seconds(60))
            guard !Task.isCancelled else { return }
            minutes += 1
            do { _ = try await compact(all: minutes % 60 == 0) } catch {
                log.warning("records stay in their log: they can not be compacted", ["error": .string("\(error)")])
            }
        }
    }
}
