import Engines
import Foundation

// Runs a command with PostgreSQL, S3, Redis and Kafka of its own in place of the embedded stores, and ends as it does.
// The broker in memory makes topics by command only, so those that the command needs are named beforehand.
// usage: with-engines [--topic NAME]... COMMAND [ARGUMENT...]

var words = Array(CommandLine.arguments.dropFirst())
var topics: [String] = []
while words.count > 1, words[0] == "--topic" {
    topics.append(words[1])
    words.removeFirst(2)
}
guard !words.isEmpty else {
    FileHandle.standardError.write(Data("usage: with-engines [--topic NAME]... COMMAND [ARGUMENT...]\n".utf8))
    exit(2)
}
do {
    let engines = try EngineSet()
    for topic in topics { try engines.kafka.topic("factory.\(topic)", partitions: 4) }
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
