import Basics
import Foundation
import Training

/// The state of the repository that a folder lies in.
enum Git {
    /// - Parameter isStrict: whether a folder without a repository, or with changes that are not committed, is refused.
    /// - Returns: nil where there is no repository, or no git.
    static func state(of folder: String, isStrict: Bool) async throws -> CodeState? {
        let found = try await BlockingThread(name: "git").run { () -> CodeState? in
            guard let commit = text(["rev-parse", "--verify", "HEAD"], folder) else { return nil }
            let diff = output(["diff", "HEAD", "--binary", "--no-ext-diff"], folder) ?? []
            return CodeState(
                commit: commit, branch: text(["symbolic-ref", "--short", "--quiet", "HEAD"], folder),
                diff: diff.isEmpty ? nil : Digest(of: diff))
        }
        guard isStrict else { return found }
        guard let found else {
            throw CommandFailure(
                .failedPrecondition, "'\(folder)' is in no git repository with a commit",
                remedy: "Commit the code, or leave out --strict.")
        }
        guard !found.isDirty else {
            throw CommandFailure(
                .failedPrecondition, "'\(folder)' has changes since commit \(found.commit.prefix(12))",
                remedy: "Commit them, or leave out --strict.")
        }
        return found
    }

    private static func text(_ words: [String], _ folder: String) -> String? {
        guard let bytes = output(words, folder) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? nil : text
    }

    /// What git prints; nil where it fails.
    private static func output(_ words: [String], _ folder: String) -> [UInt8]? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git", "-C", folder] + words
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? [UInt8](bytes) : nil
    }
}
