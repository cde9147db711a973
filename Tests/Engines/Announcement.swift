/// Says in the log of the tests that they run on an engine; `scripts/run-tests` lists the engines at its end and fails a
/// whole run in which one of `scripts/expected-engines` is missing. Saying it twice changes nothing.
///
/// - Parameters:
///   - name: the name in that list.
///   - version: what the engine calls its version, on one line.
public func announceEngine(_ name: String, _ version: String) { print("\nengine: \(name) \(version)") }

/// Says that an optional engine could not be had, and why in one line.
public func announceSkippedEngine(_ name: String, why: String) { announceEngine(name, "skipped: \(why)") }
