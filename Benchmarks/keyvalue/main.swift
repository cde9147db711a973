import Basics
import Engines
import Foundation

// Reads of 100-byte values through our interface, beside each engine's own floor in the same run, and rows put by stamp.
//
//     swift run -c release bench-keyvalue [SECONDS [reads|puts|cluster [ROWS [ROWS-IN-BATCH]]]]

let words = Array(CommandLine.arguments.dropFirst())
let seconds = words.first.flatMap(Double.init) ?? 2
let part = words.dropFirst().first
let rows = words.dropFirst(2).first.flatMap(Int.init) ?? 1_000_000
let batchRows = words.dropFirst(3).first.flatMap(Int.init) ?? 200_000
let bench = KeyValueBench(seconds: seconds)
let puts = KeyValuePutBench(rows: max(1, rows), batchRows: max(1, batchRows))
do {
    if part == nil || part == "reads" {
        try await bench.lmdb()
        try await bench.redis()
    }
    if part == nil || part == "puts" {
        try await puts.lmdb()
        if words.count < 5 { try await puts.redis() }
    }
    if part == "cluster" { try await puts.cluster() }
} catch {
    FileHandle.standardError.write(Data("bench-keyvalue: \(error)\n".utf8))
    exit(1)
}
