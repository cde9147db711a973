import Basics
import Foundation

/// What is known of a node before code is made for it.
struct Typing {
    /// nil for the literal null, which is of any type.
    var type: ScalarType?
    /// The type its children are brought to, where that is one for all.
    var operand: ScalarType?
    /// How a call is computed.
    var rule: Function.Rule?
    /// The time zone of a call that has one.
    var zone: TimeZone?
    /// The ascending bounds of a bucket call.
    var bounds: [Double] = []
}

extension Typing {
    /// The type of both operands of an operator that stands in rows such as `a + b - c`.
    var chainOperand: ScalarType? {
        if case .fixed(let types, _, _) = rule { return types.first }
        return operand
    }

    /// The operation of a rule, chosen by the type of the operands where there is one for each.
    var operation: Operation {
        func chosen(_ integer: Operation, _ double: Operation, _ string: Operation) -> Operation {
            switch operand {
            case .double, .float: double
            case .string: string
            case .integer, .boolean, .timestamp, nil: integer
            }
        }
        return switch rule {
        case .numbers(let integer, let double, _): chosen(integer, double, integer)
        case .comparison(let integer, let double, let string, _): chosen(integer, double, string)
        case .extreme(let integer, let double, let string): chosen(integer, double, string)
        case .nullIf, .among: chosen(.equalInteger, .equalDouble, .equalString)
        case .between: chosen(.lessOrEqualInteger, .lessOrEqualDouble, .lessOrEqualString)
        case .round: chosen(.move, .round, .move)
        case .fixed(_, _, let operation), .field(let operation), .nullTest(let operation): operation
        case .elapsed: .elapsed
        case .concat: .concat
        case .bucket: .bucket
        case .substring: .substring
        case .constant, .coalesce, nil: .move
        }
    }
}
