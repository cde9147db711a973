import Basics
import Foundation

/// Writes to a store as fast as it acknowledges, until the process is killed.
///
/// Says one line at a time: `r` when the store is open, then `a ITEM` for an item that was acknowledged, `f ITEM WHY` for
/// one that was refused, `u ITEM WHY` for one of which the store could not tell, `e ITEM` for an acknowledged effect.
public struct StormWriters: Sendable {
    private let store: any StormStore
    private let run: Int
    private let count: Int

    /// - Parameters:
    ///   - run: the number of this process, which no other has.
    ///   - count: how many write at once.
    public init(_ store: any StormStore, run: Int, count: Int) {
        self.store = store
        self.run = run
        self.count = count
    }

    /// Never returns.
    public func write() async throws {
        say("r")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await store.background { say($0.map { "e \($0)" }.joined(separator: "\n")) } }
            for writer in 0..<count { group.addTask { try await write(as: writer) } }
            try await group.waitForAll()
        }
    }

    private func write(as writer: Int) async throws {
        for number in 0..<Int.max {
            let item = StormItem(run: run, writer: writer, number: number)
            do {
                try await store.put(item)
                say("a \(item)")
                if try await store.rest(after: item) { say("e \(item)") }
            } catch {
                say("\(store.isCertain(error) ? "f" : "u") \(item) \("\(error)".prefix(300))")
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    private func say(_ text: String) {
        // In one write, so that a kill leaves whole lines and writers do not mix theirs.
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }
}
