import Basics

/// The operations behind `cast`.
enum Conversion {
    /// nil where the one type can not be turned into the other, or is it already.
    static func operation(from source: ScalarType, to target: ScalarType) -> Operation? {
        switch (source, target) {
        case (.integer, .double), (.boolean, .double), (.boolean, .float): .integerToDouble
        case (.integer, .float): .integerToFloat
        case (.integer, .boolean): .integerToBoolean
        case (.integer, .string): .integerToString
        case (.double, .integer), (.float, .integer): .doubleToInteger
        case (.double, .float): .doubleToFloat
        case (.float, .double), (.boolean, .integer): .move
        case (.double, .boolean), (.float, .boolean): .doubleToBoolean
        case (.double, .string): .doubleToString
        case (.float, .string): .floatToString
        case (.boolean, .string): .booleanToString
        case (.timestamp, .string): .timestampToString
        case (.string, .integer): .stringToInteger
        case (.string, .double): .stringToDouble
        case (.string, .float): .stringToFloat
        case (.string, .boolean): .stringToBoolean
        case (.string, .timestamp): .stringToTimestamp
        default: nil
        }
    }
}
