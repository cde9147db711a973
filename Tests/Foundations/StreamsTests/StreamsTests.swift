import Testing

@testable import Streams

@Suite struct StreamsTests {}
