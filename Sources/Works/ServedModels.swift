import Basics
import Foundation
import ObjectStorage
import Serving
import Telemetry

/// What a server does with a repository of models while it runs.
extension ModelRepository {
    /// Keeps up with the folder until the task is cancelled, where it is to be followed.
    func follow(every seconds: Double, log: Logger) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(seconds))
            guard !Task.isCancelled else { return }
            do { try await poll() } catch {
                log.error("the models folder could not be looked at", ["error": .string("\(error)")])
            }
        }
    }
}

extension RepositoryOptions {
    /// The same, with everything that happens to a model told to a log as well.
    func logging(to logger: Logger) -> RepositoryOptions {
        var options = self
        let tell = onChange
        options.onChange = { change in
            change.log(to: logger)
            tell(change)
        }
        return options
    }
}

extension ModelChange {
    fileprivate func log(to logger: Logger) {
        switch self {
        case .loaded(let model, let seconds):
            logger.info(
                "a model answers",
                ["model": .string(model.name), "version": .string(model.version), "seconds": .number(seconds)])
        case .failed(let name, let version, let reason):
            logger.error(
                "a model does not load",
                ["model": .string(name), "version": .string(version), "error": .string(reason)])
        case .unloaded(let name, let version):
            logger.info("a model was unloaded", ["model": .string(name), "version": .string(version)])
        case .warning(let name, let text):
            logger.warning("a model", ["model": .string(name), "warning": .string(text)])
        }
    }
}

/// The key that hashes what is redacted in the records of requests.
enum RecordKey {
    /// The key in a file, which is made where there is none.
    static func open(_ file: String, random: any RandomSource) throws -> Secret {
        if !FileManager.default.fileExists(atPath: file) {
            try AtomicFile.write(file, Array((random.identifier() + random.identifier()).utf8), mode: 0o600)
        }
        return try SecretSource(environment: [:]).file(file)
    }
}
