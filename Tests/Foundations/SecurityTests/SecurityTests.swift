import Testing

@testable import Security

@Suite struct SecurityTests {}
