import Basics

/// What is wrong in a configuration file, and where.
public struct ConfigurationFailure: Failure, Equatable {
    public let code = FailureCode.invalidArgument
    public let message: String
    public let remedy: String?

    /// - Parameter place: where in a file; its description comes first in the message.
    public init(_ place: SourcePlace, _ problem: String, remedy: String? = nil) {
        message = "\(place): \(problem)"
        self.remedy = remedy
    }

    public init(file: String, _ problem: String, remedy: String? = nil) {
        message = "\(file): \(problem)"
        self.remedy = remedy
    }
}

/// A place in a file; lines and columns count from 1.
public struct SourcePlace: Hashable, Sendable, CustomStringConvertible {
    public let file: String
    public let line: Int
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public var description: String { "\(file):\(line):\(column)" }
}
