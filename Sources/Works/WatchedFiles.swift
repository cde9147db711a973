import Basics
import Foundation
import Telemetry

/// Files that are read again when they change. One that can not be used changes nothing: it is told once, and what was in
/// use stays in use.
struct WatchedFiles: Sendable {
    private let paths: [String]
    private let what: String
    private let read: @Sendable () throws -> Void

    /// - Parameters:
    ///   - what: what errors call them.
    ///   - read: reads them again.
    init(_ paths: [String], what: String, read: @escaping @Sendable () throws -> Void) {
        self.paths = paths
        self.what = what
        self.read = read
    }

    func reload(_ log: Logger) {
        do { try read() } catch {
            log.error("\(what) could not be read again", ["error": .string("\(error)")])
        }
    }

    /// Looks at all of them every two seconds, until the task is cancelled.
    static func follow(_ files: [WatchedFiles], log: Logger) async {
        guard !files.isEmpty else { return }
        var seen = files.map { $0.paths.map(FileMark.init) }
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(2))
            let found = files.map { $0.paths.map(FileMark.init) }
            for (file, marks) in zip(files, zip(seen, found)) where marks.0 != marks.1 { file.reload(log) }
            seen = found
        }
    }
}

/// What tells a changed file from an unchanged one without reading it.
private struct FileMark: Equatable {
    private let node: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    init(_ path: String) {
        var facts = stat()
        let found = stat(path, &facts) == 0
        node = found ? UInt64(facts.st_ino) : 0
        size = found ? Int64(facts.st_size) : -1
        seconds = found ? facts.st_mtim.tv_sec : 0
        nanoseconds = found ? facts.st_mtim.tv_nsec : 0
    }
}
