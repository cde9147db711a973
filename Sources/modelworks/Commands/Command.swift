import Basics
import Foundation
import Works

/// One verb of the command line.
protocol Command: Sendable {
    var usage: Usage { get }

    /// - Returns: what to print: a document for `--json`, and text for people.
    func run(_ arguments: Arguments, _ context: Context) async throws -> Output
}

/// What a verb has to say.
struct Output: Sendable {
    var document: JSONValue
    var text: String
    /// False ends the process with code 1 although nothing was thrown: a check that found something.
    var good = true
}

/// What a verb works with.
struct Context: Sendable {
    var environment: [String: String]
    var workingDirectory: String
    /// The path of this program.
    var executable: String

    func root(_ arguments: Arguments) -> String {
        absolute(arguments.option("root") ?? environment["MODELWORKS_ROOT"] ?? ".modelworks")
    }

    /// How the root is opened, with the stores that the environment names.
    func works(_ arguments: Arguments) -> WorksOptions {
        WorksOptions(
            root: root(arguments), stores: StoreAddresses(environment: environment), environment: environment)
    }

    /// The same with the stores that the `works.yaml` of a directory names for those that the environment does not.
    func works(_ arguments: Arguments, definedIn directory: String?) throws -> WorksOptions {
        var options = works(arguments)
        guard let directory else { return options }
        let manifest = "\(absolute(directory))/works.yaml"
        guard let text = FileManager.default.contents(atPath: manifest) else {
            throw CommandFailure(.notFound, "there is no \(manifest)", remedy: "Name a factory directory.")
        }
        options.stores = options.stores.over(try StoreAddresses(manifest: String(decoding: text, as: UTF8.self)))
        return options
    }

    func absolute(_ path: String) -> String { path.hasPrefix("/") ? path : "\(workingDirectory)/\(path)" }
}
