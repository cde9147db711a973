import Basics

/// What can go wrong when windows are declared, fed or brought back from bytes. All times are microseconds since 1970.
public enum AggregationFailure: Failure, Equatable {
    /// The declaration contradicts itself or a limit.
    case plan(String)
    case valueCount(expected: Int, found: Int)
    case wrongType(column: String, expected: ScalarType, found: String)
    /// The event would have been known before it happened.
    case availableBeforeEvent(event: Int64, available: Int64)
    case timeOutOfRange(Int64)
    /// The row of the event's moment has been passed already.
    case behindClock(published: Int64, clock: Int64)
    /// The events of one entity do not ascend by available time and sequence.
    case unsorted(available: Int64, sequence: Int64)
    /// The bytes were written for windows declared otherwise.
    case otherPlan
    case badState(String)

    public var code: FailureCode {
        switch self {
        case .plan, .valueCount, .wrongType, .availableBeforeEvent, .timeOutOfRange: .invalidArgument
        case .behindClock, .unsorted, .otherPlan: .failedPrecondition
        case .badState: .dataLoss
        }
    }

    public var message: String {
        switch self {
        case .plan(let problem): "the declared windows can not be computed: \(problem)"
        case .valueCount(let expected, let found): "an event has \(found) values where the view has \(expected) columns"
        case .wrongType(let column, let expected, let found):
            "the column '\(column)' is of type \(expected.rawValue), but an event's value in it is of type \(found)"
        case .availableBeforeEvent(let event, let available):
            "an event of \(time(event)) says that it was known already at \(time(available))"
        case .timeOutOfRange(let moment): "the time \(moment) us of an event is out of range"
        case .behindClock(let published, let clock):
            "an event counts from \(time(published)), but the rows up to \(time(clock)) have been written already"
        case .unsorted(let available, let sequence):
            "the event available at \(time(available)) with sequence \(sequence) comes after a newer one of its entity"
        case .otherPlan: "the stored window state belongs to another declaration of the windows"
        case .badState(let problem): "the stored window state can not be read: \(problem)"
        }
    }

    public var remedy: String? {
        switch self {
        case .plan: "Change the view's windows, tile or columns."
        case .valueCount, .wrongType: "Give each event one value per column, of the column's type."
        case .availableBeforeEvent: "Check which columns of the source hold the event time and the created time."
        case .timeOutOfRange: "Check the unit of the source's times; they must lie within 36,000 years of 1970."
        case .behindClock: "Let the available time be the moment at which the event reached the factory."
        case .unsorted: "Sort the events by entity, available time and a sequence that is different for each event."
        case .otherPlan, .badState: "Compute the state again from the view's events."
        }
    }

    private func time(_ microseconds: Int64) -> String { Timestamp(microseconds: microseconds).description }
}
