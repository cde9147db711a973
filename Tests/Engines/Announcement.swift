import Foundation
import Synchronization

private let announced = Mutex<Set<String>>([])

/// Says in the log of the tests that they run on an engine; `scripts/run-tests` lists the engines at its end and fails a
/// whole run in which one of `scripts/expected-engines` is missing. Saying it twice changes nothing.
///
/// - Parameters:
///   - name: the name in that list.
///   - version: what the engine calls its version, on one line.
public func announceEngine(_ name: String, _ version: String) {
    guard announced.withLock({ $0.insert("\(name) \(version)").inserted }) else { return }
    // In one unbuffered write that begins a line, so that what other tests print can not cut it.
    FileHandle.standardError.write(Data("\nengine: \(name) \(version)\n".utf8))
}

/// Says that an optional engine could not be had, and why in one line.
public func announceSkippedEngine(_ name: String, why: String) { announceEngine(name, "skipped: \(why)") }

/// Whether an engine was announced already, so that its version need not be asked for again.
func isAnnounced(_ name: String) -> Bool { announced.withLock { $0.contains { $0.hasPrefix("\(name) ") } } }
