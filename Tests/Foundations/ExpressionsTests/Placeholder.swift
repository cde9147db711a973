import Testing

@Suite struct ExpressionsTestsPlaceholder { @Test func builds() {} }
