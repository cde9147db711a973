import Basics
import Foundation

/// Writes a line to standard output at once, whatever it is connected to.
func say(_ text: String) {
    // A reader that went away must not end a server with a crash.
    try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
}

/// Finds the verb, runs it, prints what it says, and gives the exit code.
func modelworks(_ words: [String], _ context: Context) async -> Int32 {
    func complain(_ error: any Error, json: Bool) -> Int32 {
        let failure = error as? any Failure
        let text = failure?.description ?? "\(error)"
        if json {
            let document: JSONValue = [
                "error": .string(text), "code": .string((failure?.code ?? .internal).rawValue),
            ]
            say((try? JSON.string(document)) ?? text)
        } else {
            FileHandle.standardError.write(Data("modelworks: \(text)\n".utf8))
        }
        return error is UsageError ? 2 : 1
    }
    let json = words.contains("--json")
    do {
        guard let name = words.first, name != "--help", name != "help" else {
            say(Verbs.help)
            return words.isEmpty ? 2 : 0
        }
        let verb = try Verbs.find(name == "--version" ? "version" : name)
        let arguments = try Arguments(words.dropFirst(), for: verb.usage)
        if arguments.flag("help") {
            say(verb.usage.help)
            return 0
        }
        let output = try await verb.run(arguments, context)
        if json || !output.text.isEmpty { say(json ? try JSON.string(output.document) : output.text) }
        return output.good ? 0 : 1
    } catch {
        return complain(error, json: json)
    }
}

let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]

// Threads of LightGBM that wait must sleep, not spin: they share the cores with the network threads. Its OpenMP runtime
// reads this once, when the process is loaded, so the process loads itself again with it set.
if ProcessInfo.processInfo.environment["OMP_WAIT_POLICY"] == nil {
    setenv("OMP_WAIT_POLICY", "passive", 1)
    var words = CommandLine.arguments.map { strdup($0) }
    words.append(nil)
    execv(program, &words)
}

let context = Context(
    environment: ProcessInfo.processInfo.environment, workingDirectory: FileManager.default.currentDirectoryPath,
    executable: program)
exit(await modelworks(Array(CommandLine.arguments.dropFirst()), context))
