import Telemetry

extension RequestNotes {
    /// Tells who answered a request, and its stages, which lie one behind the other.
    /// - Parameter began: on the monotonic clock, in nanoseconds.
    public func write(_ times: StageTimes, from began: UInt64, model: String, version: String, arm: Arm) {
        write {
            var start = began
            let steps = RequestStage.allCases.filter { $0 != .total }.map { stage in
                defer { start &+= times[stage] }
                return Step(stage.rawValue, start: start, nanoseconds: times[stage])
            }
            return Content(
                attributes: [
                    ("modelworks.model", model), ("modelworks.version", version), ("modelworks.arm", arm.name),
                ], steps: steps)
        }
    }
}
