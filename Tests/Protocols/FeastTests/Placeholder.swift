import Testing

@Suite struct FeastTestsPlaceholder { @Test func builds() {} }
