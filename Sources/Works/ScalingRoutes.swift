import Basics
import HTTP
import Security
import Serving

/// What an orchestrator asks for to size a deployment.
struct ScalingRoutes {
    private let scaler: ModelScaler

    init(_ scaler: ModelScaler) { self.scaler = scaler }

    func install(on router: Router) {
        router.get("/scaling", needs: .right(to: .read)) { [scaler] _ in try .json(["models": scaler.reports]) }
        router.get("/scaling/{name}", needs: .right(to: .read, on: "endpoint", named: "name")) { [scaler] request in
            let name = try request.parameter("name")
            let reports = scaler.reports.filter { $0.model == name }
            // Versions of a model that serve beside each other are wanted beside each other.
            guard !reports.isEmpty else { throw ServingFailure.notScaled(name) }
            let desired = reports.reduce(0) { $0 + $1.desired }
            return try .json(Answer(model: name, desired: desired, versions: reports))
        }
    }

    private struct Answer: Encodable {
        let model: String
        let desired: Int
        let versions: [ScalingReport]
    }
}

extension ModelScaler {
    /// Decides every second how many replicas each model is to have, until the task is cancelled.
    func follow() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            tick(now: SystemTime.monotonicNanoseconds)
        }
    }
}
