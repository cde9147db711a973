// Measures a stream store: records per second from producer to consumer, and how long one record takes from end to end.
//
// usage: bench-streams [URL] [RECORDS]      the local log in a temporary folder where no address is given
//        bench-streams storm FOLDER SEED    publishes and transacts until it is killed, for the tests of crashes: prints
//                                           `p ID` for each acknowledged record and `t ID` for each one moved
import Basics
import Foundation
import Streams
import Telemetry

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    if arguments.first == "storm", arguments.count == 3 {
        try await Storm(folder: arguments[1], seed: UInt64(arguments[2]) ?? 0).run()
    } else {
        try await StreamBenchmark(
            address: arguments.first, count: arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
        ).run()
    }
} catch {
    FileHandle.standardError.write(Data("bench-streams: \(error)\n".utf8))
    exit(1)
}
