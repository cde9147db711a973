import Basics

/// A named, typed place in a row.
public struct ScalarField: Sendable, Hashable {
    public let name: String
    public let type: ScalarType

    public init(_ name: String, _ type: ScalarType) {
        self.name = name
        self.type = type
    }
}
