import Basics
import Documents
import Experiments
import HTTP
import Security

extension MLflow {
    /// The questions that pages ask in GraphQL: each is a call of the REST protocol, of whose answer they choose.
    func installPageQueries(on router: Router) {
        router.post("/graphql", needs: .right(to: .read)) { request in
            do {
                let document = (try? JSONTree.value(request.body)) ?? .null
                guard let text = document["query"]?.string else { throw MLflowFailure.missing("query") }
                let query = try PageQuery(text)
                let input = document["variables"]?[query.variable]?.object ?? [:]
                return try .json(["data": [query.root.name: await answer(query.root, Fields(input))]] as JSONValue)
            } catch {
                let problem = MLflowProblem(error, requestID: request.requestID)
                return try .json(
                    ["data": .null, "errors": [["message": .string(problem.text)]]] as JSONValue)
            }
        }
    }

    /// What is chosen of an answer; a call that fails gives its error in `apiError`.
    private func answer(_ root: PageQuery.Selection, _ fields: Fields) async throws -> JSONValue {
        guard let call = pageCall(root.name) else {
            throw MLflowFailure.invalid("Can not answer the query: there is no field '\(root.name)'")
        }
        var chosen: [String: JSONValue]
        do {
            var message = try await call(fields).document
            for (key, runs) in [("run", root.selection("run")), ("runs", root.selection("runs"))] {
                guard let runs, let found = message[key] else { continue }
                message = .object(
                    (message.object ?? [:]).merging([key: try await extended(found, runs)]) { $1 })
            }
            chosen = root.choose(from: message).object ?? [:]
        } catch {
            let problem = MLflowProblem(error, requestID: "")
            chosen = root.choose(from: [:]).object ?? [:]
            chosen["apiError"] = [
                "code": .string(problem.name.rawValue), "message": .string(problem.text), "helpUrl": .null,
            ]
        }
        if root.selection("__typename") != nil {
            chosen["__typename"] = .string("\(root.name.prefix(1).uppercased())\(root.name.dropFirst())Response")
        }
        return .object(chosen)
    }

    private func pageCall(_ name: String) -> ((Fields) async throws -> Answer)? {
        switch name {
        case "mlflowGetExperiment": getExperiment
        case "mlflowGetMetricHistoryBulkInterval": sampleHistories
        case "mlflowGetRun": getRun
        case "mlflowListArtifacts": listArtifacts
        case "mlflowSearchDatasets": searchDatasets
        case "mlflowSearchModelVersions": searchVersions
        case "mlflowSearchRuns": searchRuns
        default: nil
        }
    }

    /// A run, or several, with their experiment and the versions made from them where these are wanted.
    private func extended(_ message: JSONValue, _ wanted: PageQuery.Selection) async throws -> JSONValue {
        if case .array(let items) = message {
            var runs: [JSONValue] = []
            for item in items { runs.append(try await extended(item, wanted)) }
            return .array(runs)
        }
        guard var run = message.object, let info = run["info"] else { return message }
        if wanted.selection("experiment") != nil {
            let id = info["experiment_id"] ?? .null
            run["experiment"] = try await getExperiment(Fields(["experiment_id": id])).document["experiment"]
        }
        if wanted.selection("modelVersions") != nil {
            let filter = "run_id='\(info["run_id"]?.string ?? "")'"
            let found = try await searchVersions(Fields(["filter": .string(filter)])).document["model_versions"]
            run["model_versions"] = found ?? []
        }
        return .object(run)
    }
}
