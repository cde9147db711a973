import Basics
import Testing

@testable import modelworks

@Suite struct ReportLayoutTests {
    @Test(arguments: [[10.0, 12, 14, 16], [5, 400, 410, 890, 895, 899], [890, 891], []])
    func textsNeverOverlap(_ positions: [Double]) {
        let placed = LabelLayout(bounds: 0...900).place(positions.map { ($0, 150) })
        #expect(placed.count == positions.count)
        for (index, one) in placed.enumerated() {
            for other in placed.dropFirst(index + 1) where other.lane == one.lane {
                #expect(!other.box.overlaps(one.box))
            }
            #expect(one.box.lowerBound >= 0 && one.box.upperBound <= 900)
        }
    }

    @Test func linesDoNotCutTextsThatReadRightwards() {
        let placed = LabelLayout(bounds: 0...900).place([(10, 150), (30, 150), (50, 150)])
        #expect(placed.map(\.lane) == [2, 1, 0])
    }

    @Test func neighboursOfOneKindShareAMark() {
        let scale = Scale(
            ReportSample.moment(0).secondsSince1970, ReportSample.moment(273).secondsSince1970, from: 0, to: 900)
        let marks = EventMarks.marks(ReportSample.make().events, on: scale, mergingWithin: 60)
        #expect(
            marks.map(\.text) == [
                "alert: AUC below 0.70 (+1 more)", "retrain on January to June", "rollout 5% → 25% → 50% → 100%",
                "broken canary rolled back",
            ])
    }

    @Test func ticksAreRound() {
        #expect(Scale(0, 100, from: 0, to: 1).ticks(5) == [0, 20, 40, 60, 80, 100])
        #expect(Scale(logarithmic: 1, 100, from: 0, to: 1).ticks(5) == [1, 2, 5, 10, 20, 50, 100])
        #expect(abs(Scale(logarithmic: 1, 100, from: 0, to: 10)(10) - 5) < 1e-12)
        let year = Scale(
            ReportSample.moment(0).secondsSince1970, ReportSample.moment(300).secondsSince1970, from: 0, to: 1)
        #expect(year.timeTicks(12).map(\.text).suffix(2) == ["Dec", "Jan 2014"])
    }

    @Test(
        arguments: [
            (nil, "none"), (0.0, "p0"), (0.0999, "p2"), (0.1, "p3"), (0.199, "p4"), (0.2, "p5"), (0.5, "p6"), (9, "p6"),
        ] as [(Double?, String)])
    func shadesChangeAtTheThresholds(_ value: Double?, _ kind: String) {
        #expect(DriftHeatMap.shade(value, .init(features: [], weeks: [], psi: [])) == kind)
    }

    @Test func figuresReadWell() {
        #expect(
            Numbers.grouped(336_776) == "336,776" && Numbers.grouped(-1000) == "−1,000" && Numbers.grouped(7) == "7")
        #expect(Numbers.percent(0.05) == "5%" && Numbers.percent(0.125) == "12.5%" && Numbers.percent(nil) == "–")
        #expect(Numbers.significantCount(0) == "0" && Numbers.significantCount(2.5) == "2.5")
        #expect(Numbers.milliseconds(0.71) == "710 µs" && Numbers.milliseconds(1234) == "1.23 s")
        #expect(Numbers.minute(ReportSample.moment(0, hour: 6, minute: 30)) == "1 Apr 2013 06:30")
    }
}
