/// What models have done under the names of Triton's metrics, for dashboards and autoscalers made for them.
public enum TritonMetrics {
    private struct Family {
        var name: String
        var kind = "counter"
        var help: String
        var values: (ServedModel, ModelStatistics.Reading) -> [(labels: String, value: UInt64)]

        init(
            _ name: String, kind: String = "counter", _ help: String,
            _ values: @escaping (ServedModel, ModelStatistics.Reading) -> [(labels: String, value: UInt64)]
        ) {
            self.name = name
            self.kind = kind
            self.help = help
            self.values = values
        }

        /// A family with one value for each model.
        static func one(
            _ name: String, kind: String = "counter", _ help: String,
            _ value: @escaping (ServedModel, ModelStatistics.Reading) -> UInt64
        ) -> Family {
            Family(name, kind: kind, help) { [("", value($0, $1))] }
        }
    }

    private static var families: [Family] {
        [
            .one("nv_inference_request_success", "Requests that were answered") { $1.success.count },
            Family("nv_inference_request_failure", "Requests that were not answered") { model, _ in
                // A deadline that passed in the queue is a refusal to Triton, which has no reason for it.
                let count = model.failures
                return [
                    (",reason=\"REJECTED\"", count(.refused) &+ count(.expired)),
                    (",reason=\"CANCELED\"", count(.left)), (",reason=\"BACKEND\"", count(.failed)),
                    (",reason=\"OTHER\"", 0),
                ]
            },
            .one("nv_inference_count", "Rows that were inferred") { $1.inferences },
            .one("nv_inference_exec_count", "Runs of the model") { $1.executions },
            .one("nv_inference_request_duration_us", "Time of requests") { $1.success.nanoseconds / 1000 },
            .one("nv_inference_queue_duration_us", "Time in the queue") { $1.queue.nanoseconds / 1000 },
            .one("nv_inference_compute_input_duration_us", "Time to put inputs together") {
                $1.input.nanoseconds / 1000
            },
            .one("nv_inference_compute_infer_duration_us", "Time of runs") { $1.infer.nanoseconds / 1000 },
            .one("nv_inference_compute_output_duration_us", "Time to cut outputs apart") {
                $1.output.nanoseconds / 1000
            },
            .one("nv_inference_pending_request_count", kind: "gauge", "Requests that wait") { model, _ in
                UInt64(model.waiting)
            },
        ]
    }

    /// The metrics of every model that answers, in the text format 0.0.4 of Prometheus.
    public static func text(_ repository: ModelRepository) -> String {
        let models = repository.all.map { ($0, $0.statistics.read()) }
        var text = ""
        for family in families {
            text += "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind)\n"
            for (model, reading) in models {
                for (labels, value) in family.values(model, reading) {
                    text +=
                        "\(family.name){model=\"\(escape(model.name))\",version=\"\(model.version)\"\(labels)} \(value)\n"
                }
            }
        }
        return text
    }

    private static func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.append(character)
            }
        }
    }
}
