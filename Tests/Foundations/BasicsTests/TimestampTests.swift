import Testing

@testable import Basics

@Suite struct TimestampTests {
    // Microseconds since 1970, worked out with Python's datetime.
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999999Z", -1),
            ("2000-02-29T00:00:00Z", 951_782_400_000_000),
            ("1900-03-01T00:00:00Z", -2_203_891_200_000_000),
            ("2013-03-10T07:00:00Z", 1_362_898_800_000_000),
            ("2013-11-03T01:30:00Z", 1_383_442_200_000_000),
            ("2024-02-29T12:34:56.789Z", 1_709_210_096_789_000),
            ("2100-02-28T23:59:59Z", 4_107_542_399_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
            ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ] as [(String, Int64)])
    func canonicalTextsReadAndWriteBack(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
        #expect(Timestamp(microseconds: microseconds).description == text)
    }

    @Test(arguments: [
        "2013-03-10T07:00:00Z", "2013-03-10T07:00Z", "2013-03-10 07:00", "2013-03-10t07:00:00z", "2013-03-10T07:00:00",
        "2013-03-10T02:00:00-05:00", "2013-03-10T02:00:00-0500", "2013-03-10T12:30:00+05:30",
        "2013-03-11T06:59:00+23:59",
        "2013-03-10T07:00:00.000000Z", "2013-03-10T07:00:00,0Z",
    ])
    func everyWayToWriteAMomentReadsAsIt(text: String) {
        #expect(Timestamp(text) == Timestamp(microseconds: 1_362_898_800_000_000))
    }

    @Test func aBareDayIsItsMidnight() {
        #expect(Timestamp("2013-03-10") == Timestamp("2013-03-10T00:00:00Z"))
    }

    @Test(arguments: [
        "", " ", "2013", "2013-03", "2013-3-10", "2013-02-29", "1900-02-29", "2100-02-29", "2013-04-31", "2013-13-01",
        "2013-00-10", "2013-03-00", "2013-03-32", "2013-03-10T", "2013-03-10T07", "2013-03-10T24:00:00Z",
        "2013-03-10T07:60:00Z", "2013-03-10T07:00:60Z", "2013-03-10T07:00:00.Z", "2013-03-10T07:00:00.1234567Z",
        "2013-03-10T07:00:00+5", "2013-03-10T07:00:00+24:00", "2013-03-10T07:00:00+05:60", "2013-03-10T07:00:00ZZ",
        "2013-03-10T07:00:00Z+01:00", "2013-03-10T07:00:00Z ", " 2013-03-10T07:00:00Z", "2013-03-10X07:00:00Z",
        "+2013-03-10", "-013-03-10", "２０１３-03-10", "2013-03-10T07:00:00 Z", "12345-01-01", "now", "2013/03/10",
        "2013-03-10T07:00:00+05:30Z", "2013-03-10T07:00:0.5Z", "\u{0}2013-03-10",
    ])
    func anythingElseIsNoMoment(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func everyDayOfFourCenturiesComesBack() {
        // A Gregorian cycle has 146,097 days; the first of this one is 1999-01-01.
        let first: Int64 = 10_592
        var before = ""
        for day in first..<first + 146_097 {
            let moment = Timestamp(seconds: day * 86_400)
            let text = moment.day
            #expect(text > before)
            #expect(Timestamp(text) == moment)
            before = text
        }
        #expect(before == "2398-12-31")
    }

    @Test func theEndsOfTheRangeAreWrittenWithoutTrapping() {
        // java.time writes the same for these numbers of microseconds.
        #expect(Timestamp.distantPast.description == "-290308-12-21T19:59:05.224192Z")
        #expect(Timestamp.distantFuture.description == "294247-01-10T04:00:54.775807Z")
    }

    @Test func movingSaturates() {
        #expect(Timestamp(seconds: 10).advanced(bySeconds: -25) == Timestamp(seconds: -15))
        #expect(Timestamp(seconds: 1).advanced(bySeconds: .max) == .distantFuture)
        #expect(Timestamp(seconds: -1).advanced(bySeconds: .min) == .distantPast)
        #expect(Timestamp.distantFuture.advanced(bySeconds: 1) == .distantFuture)
        #expect(Timestamp.distantPast.advanced(bySeconds: -1) == .distantPast)
    }

    @Test(
        arguments: [
            ("2013-03-10T07:14:59.999999Z", 900, "2013-03-10T07:00:00Z"),
            ("2013-03-10T07:15:00Z", 900, "2013-03-10T07:15:00Z"),
            ("1969-12-31T23:59:59Z", 3600, "1969-12-31T23:00:00Z"),
            ("1970-01-01T00:00:00Z", 86_400, "1970-01-01T00:00:00Z"),
            ("1969-12-31T00:00:00Z", 86_400, "1969-12-31T00:00:00Z"),
            ("2013-03-10T07:14:59Z", 0, "2013-03-10T07:14:59Z"),
        ] as [(String, Int64, String)])
    func flooringGoesBackToTheGrid(text: String, width: Int64, expected: String) {
        #expect(Timestamp(text)?.floored(toSeconds: width).description == expected)
    }

    @Test func flooringToTheWidestGridDoesNotTrap() {
        #expect(Timestamp(seconds: 5).floored(toSeconds: .max) == Timestamp(seconds: 0))
        #expect(Timestamp.distantPast.floored(toSeconds: 3600) <= Timestamp.distantPast.advanced(bySeconds: 3600))
        #expect(Timestamp(seconds: -5).floored(toSeconds: .max) < Timestamp(seconds: -5))
    }

    @Test func secondsBetweenAreSigned() {
        #expect(Timestamp(seconds: 5).seconds(since: Timestamp(microseconds: 4_500_000)) == 0.5)
        #expect(Timestamp(seconds: 4).seconds(since: Timestamp(seconds: 5)) == -1)
    }

    @Test func jsonIsTheTextAndAnythingElseIsRefused() throws {
        let moment = try #require(Timestamp("2013-03-10T07:00:00.25Z"))
        #expect(try JSON.string([moment]) == #"["2013-03-10T07:00:00.250Z"]"#)
        #expect(try JSON.decode([Timestamp].self, from: #"["2013-03-10T02:00:00.25-05:00"]"#) == [moment])
        #expect(throws: JSONFailure.self) { try JSON.decode([Timestamp].self, from: #"["yesterday"]"#) }
        #expect(throws: JSONFailure.self) { try JSON.decode([Timestamp].self, from: "[5]") }
    }

    @Test func aManualClockNeverGoesBack() {
        let clock = ManualTime(Timestamp(seconds: 10))
        clock.advance(to: Timestamp(seconds: 5))
        #expect(clock.now == Timestamp(seconds: 10))
        clock.advance(to: Timestamp(seconds: 20))
        #expect(clock.now == Timestamp(seconds: 20))
    }
}
