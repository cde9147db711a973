import Engines
import Foundation

// Runs a command with PostgreSQL, S3, Redis and Kafka of its own in place of the embedded stores, and ends as it does.
// usage: with-engines COMMAND [ARGUMENT...]

let words = Array(CommandLine.arguments.dropFirst())
guard !words.isEmpty else {
    FileHandle.standardError.write(Data("usage: with-engines COMMAND [ARGUMENT...]\n".utf8))
    exit(2)
}
do {
    let engines = try EngineSet()
    let command = Process()
    command.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    command.arguments = words
    command.environment = ProcessInfo.processInfo.environment.merging(engines.environment(for: "factory")) { $1 }
    try command.run()
    command.waitUntilExit()
    engines.end()
    exit(command.terminationStatus)
} catch {
    FileHandle.standardError.write(Data("with-engines: \(error)\n".utf8))
    exit(1)
}
