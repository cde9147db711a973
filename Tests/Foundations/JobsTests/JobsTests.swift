import Testing

@testable import Jobs

@Suite struct JobsTests {}
