// Writes to a store until it is killed, for the tests of crashes; see `StormWriters` for what it prints.
//
// usage: storm KIND FOLDER RUN WRITERS [ADDRESS]      secrets of the address are read from the environment
import Basics
import Foundation
import Storms

let arguments = Array(CommandLine.arguments.dropFirst())
guard arguments.count >= 4, let kind = StormKind(rawValue: arguments[0]), let run = Int(arguments[2]),
    let writers = Int(arguments[3])
else {
    FileHandle.standardError.write(Data("usage: storm KIND FOLDER RUN WRITERS [ADDRESS]\n".utf8))
    exit(2)
}
do {
    let secrets = SecretSource(environment: ProcessInfo.processInfo.environment)
    let address = try arguments.dropFirst(4).first.map { try StoreURL($0, secrets: secrets) }
    let store = try await kind.open(address, folder: arguments[1])
    try await StormWriters(store, run: run, count: writers).write()
} catch {
    FileHandle.standardError.write(Data("storm: \(error)\n".utf8))
    exit(1)
}
