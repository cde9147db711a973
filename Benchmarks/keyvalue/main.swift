import Basics
import Engines
import Foundation

// Reads of 100-byte values through our interface, beside each engine's own floor in the same run.
//
//     swift run -c release bench-keyvalue [SECONDS]

let seconds = CommandLine.arguments.dropFirst().first.flatMap(Double.init) ?? 2
let bench = KeyValueBench(seconds: seconds)
do {
    try await bench.lmdb()
    try await bench.redis()
} catch {
    FileHandle.standardError.write(Data("bench-keyvalue: \(error)\n".utf8))
    exit(1)
}
