import Basics
import Foundation
import Testing

@testable import modelworks

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct CostTableTests {
    private static func line(
        _ strategy: CostStrategy, _ name: String, p50: Double?, p99: Double?, _ seconds: Double
    ) -> CostTable.Line {
        CostTable.Line(
            strategy: strategy, name: name, predictions: 100, p50: p50, p99: p99, processorSeconds: seconds,
            perThousand: CostTable.perThousand(processorSeconds: seconds, price: 0.36))
    }

    private static var table: CostTable {
        var table = CostTable(
            model: "<fraud>.onnx", platform: "onnxruntime_onnx", callers: 8, hitRatio: 0.5, pricePerCoreHour: 0.36,
            lines: [
                line(.plain, "plain", p50: 2, p99: 4, 100e-6), line(.batching, "batching", p50: 3, p99: 9, 40e-6),
                line(.int8, "int8, a&b.onnx", p50: 2.3, p99: 3, 60e-6),
                line(.batchScoring, "batch scoring", p50: nil, p99: nil, 5e-6),
            ])
        table.compare()
        return table
    }

    /// 100 us each are 0.1 s for 1,000, and at 0.36 an hour, 0.0001 a second, 0.00001.
    @Test func costsAndChangesAreThoseWorkedOutByHand() {
        let table = Self.table
        #expect(table.lines.map { ($0.perThousand * 1e7).rounded() } == [100, 40, 60, 5])
        #expect(table.lines.map { $0.latencyChange?.rounded() } == [nil, 50, 15, nil])
        #expect(table.lines.map { $0.costChange?.rounded() } == [nil, -60, -40, -95])
    }

    @Test func whatIsSaidStandsBesideWhatWasMeasured() throws {
        let lines = Self.table.text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        let batching = try #require(lines.first { $0.hasPrefix("batching") })
        #expect(batching == "batching 3.00 ms 9.00 ms 40.0 µs 0.00000400 +50% +200 ms -60% -60%")
        let int8 = try #require(lines.first { $0.hasPrefix("int8") })
        #expect(int8.hasSuffix("+15% +15% -40% -40%"))
        let plain = try #require(lines.first { $0.hasPrefix("plain") })
        #expect(!plain.contains("%"))
    }

    /// The folk table that strategies are held against.
    @Test func everyStrategySaysWhatIsCommonlySaid() {
        let said = CostStrategy.allCases.compactMap { strategy in
            strategy.commonly.map {
                "\(strategy.rawValue) \(Int($0.latency))\($0.isAdded ? "ms" : "%") \(Int($0.cost))%"
            }
        }
        #expect(
            said == [
                "batching 200ms -60%", "cache -80% -20%", "shared 10% -50%", "int8 15% -40%", "distilled 5% -30%",
            ])
    }

    @Test func thePictureIsAWellFormedDrawingOfEveryWay() throws {
        let text = CostChart.picture(Self.table).rendered
        #expect(XMLParser(data: Data(text.utf8)).parse())
        for name in ["plain", "batching", "int8, a&amp;b.onnx", "batch scoring", "&lt;fraud&gt;.onnx"] {
            #expect(text.contains(name), "\(name)")
        }
        #expect(text.components(separatedBy: "<rect").count == 4)
        let nothing = CostTable(
            model: "m", platform: "p", callers: 1, hitRatio: 0, pricePerCoreHour: 1, lines: [])
        #expect(CostChart.picture(nothing).rendered.contains("Nothing was measured."))
    }

    @Test func aTableIsReadBackAsItWasWritten() throws {
        let table = Self.table
        let read = try JSON.decode(CostTable.self, from: Array(try JSON.string(table).utf8))
        #expect(read.lines.map(\.processorSeconds) == table.lines.map(\.processorSeconds))
        #expect(read.lines.map(\.strategy) == table.lines.map(\.strategy))
    }

    @Test func processorTimeIsReadFromALineOfTheSystem() throws {
        // Of proc(5): pid, (name), state, parent, … utime and stime are the fields 14 and 15, those of children 16 and 17.
        let line = "42 (a (b) c) S 7 42 42 0 -1 4194304 1 2 3 4 150 50 20 5 20 0 9 0 100 1000 10"
        let fields = try #require(ProcessorTime.fields(line))
        #expect(fields.parent == 7)
        #expect(fields.ticks == 225)
        #expect(ProcessorTime.fields("") == nil)
        #expect(ProcessorTime.fields("42 (short) S 7") == nil)
        #expect(ProcessorTime.ofTree(-5) == 0)
        let before = ProcessorTime.ofTree(getpid())
        var sum: UInt64 = 0
        let deadline = SystemTime.monotonicNanoseconds + 30_000_000_000
        while ProcessorTime.ofTree(getpid()) <= before, SystemTime.monotonicNanoseconds < deadline {
            for number in 0..<2_000_000 { sum &+= UInt64(number) }
        }
        #expect(ProcessorTime.ofTree(getpid()) > before, "\(sum)")
    }
}
