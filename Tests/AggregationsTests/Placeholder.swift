import Testing

@Suite struct AggregationsTestsPlaceholder { @Test func builds() {} }
