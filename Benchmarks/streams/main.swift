// Measures a stream store: records per second from producer to consumer, and how long one record takes from end to end.
// With a model it measures how long an event takes to be scored, at a steady pace.
//
// usage: bench-streams [URL] [RECORDS]                        the local log in a temporary folder where no address is given
//        bench-streams score MODEL [URL] [PER_SECOND] [SECONDS]    ends with 2 where a limit was missed
import Basics
import Foundation
import Streams
import Telemetry

let arguments = Array(CommandLine.arguments.dropFirst())

/// A number among the arguments.
func number(_ index: Int, _ standard: Int) -> Int {
    arguments.dropFirst(index).first.flatMap { Int($0) } ?? standard
}

do {
    if arguments.first == "score", let model = arguments.dropFirst().first {
        let address = arguments.dropFirst(2).first.flatMap { $0.isEmpty || $0 == "-" ? nil : $0 }
        let isKept = try await ScoringBenchmark(
            address: address, model: model, perSecond: number(3, 10_000), seconds: number(4, 20)
        ).run()
        exit(isKept ? 0 : 2)
    }
    try await StreamBenchmark(address: arguments.first, count: number(1, 200_000)).run()
} catch {
    FileHandle.standardError.write(Data("bench-streams: \(error)\n".utf8))
    exit(1)
}
