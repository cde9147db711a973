// Measures every store beside its own floor in the same run, and prints one table.
//
// usage: bench-stores [--only journal|objects|verify|keyvalue|streams] [SECONDS]
//
// bench-keyvalue, bench-streams and kafka-broker must lie beside it.
import Basics
import Engines
import Foundation
import TestSupport

var arguments = Array(CommandLine.arguments.dropFirst())
var only: String?
if arguments.first == "--only", arguments.count > 1 {
    only = arguments[1]
    arguments.removeFirst(2)
}
let seconds = arguments.first.flatMap(Double.init) ?? 2
do {
    let figures = try await StoresBench(seconds: seconds, only: only).run()
    Figure.print(figures)
    if figures.contains(where: { $0.isMet == false }) { exit(2) }
} catch {
    FileHandle.standardError.write(Data("bench-stores: \(error)\n".utf8))
    exit(1)
}
