// Measures a stream store: records per second from producer to consumer, and how long one record takes from end to end.
//
// usage: bench-streams [URL] [RECORDS]      the local log in a temporary folder where no address is given
import Basics
import Foundation
import Streams
import Telemetry

let arguments = Array(CommandLine.arguments.dropFirst())
do {
    try await StreamBenchmark(
        address: arguments.first, count: arguments.dropFirst().first.flatMap { Int($0) } ?? 200_000
    ).run()
} catch {
    FileHandle.standardError.write(Data("bench-streams: \(error)\n".utf8))
    exit(1)
}
