import Basics
import HTTP

/// A sound request for every route of MLflow's protocol; `$run` and its like stand for what there is when it is sent.
enum WireSamples {
    /// The fields of a request, which go in its query or its body, by the method and the path behind `/mlflow`.
    static let fields: [String: JSONValue] = [
        "POST /experiments/create": [
            "name": "e", "tags": [["key": "a", "value": "b"]], "artifact_location": "mlflow-artifacts:/7",
        ],
        "GET /experiments/get": ["experiment_id": "$experiment"],
        "GET /experiments/get-by-name": ["experiment_name": "Default"],
        "GET /experiments/search": search("name LIKE 'e%' AND tags.a = 'b' AND creation_time > 5", "name DESC"),
        "POST /experiments/search": search("tags.`a` IS NULL", "creation_time"),
        "POST /experiments/update": ["experiment_id": "$experiment", "new_name": "f"],
        "POST /experiments/delete": ["experiment_id": "$experiment"],
        "POST /experiments/restore": ["experiment_id": "$experiment"],
        "POST /experiments/set-experiment-tag": ["experiment_id": "$experiment", "key": "a", "value": "b"],
        "POST /experiments/delete-experiment-tag": ["experiment_id": "$experiment", "key": "a"],
        "DELETE /experiments/delete-experiment-tag": ["experiment_id": "$experiment", "key": "a"],
        "POST /experiments/search-datasets": ["experiment_ids": ["0", "$experiment"]],
        "POST /runs/create": [
            "experiment_id": "$experiment", "run_name": "r", "start_time": 1_700_000_000_000, "user_id": "u",
            "tags": [["key": "a", "value": "b"]],
        ],
        "GET /runs/get": run,
        "POST /runs/update": ["run_id": "$run", "status": "FINISHED", "end_time": 1_700_000_000_001, "run_name": "s"],
        "POST /runs/delete": run,
        "POST /runs/restore": run,
        "POST /runs/search": [
            "experiment_ids": ["0", "$experiment"], "filter": "metrics.loss < 1 AND params.p = 'x' AND tags.t LIKE '%'",
            "order_by": ["metrics.loss DESC", "params.p", "start_time ASC"], "run_view_type": "ALL", "max_results": 5,
            "page_token": "eyJvZmZzZXQiOiAxfQ==",
        ],
        "POST /runs/log-metric": metric.merged(with: run),
        "POST /runs/log-parameter": pair.merged(with: run),
        "POST /runs/log-param": pair.merged(with: run),
        "POST /runs/set-tag": pair.merged(with: run),
        "POST /runs/delete-tag": ["run_id": "$run", "key": "a"],
        "DELETE /runs/delete-tag": ["run_id": "$run", "key": "a"],
        "POST /runs/log-batch": [
            "run_id": "$run", "metrics": [metric, metric], "params": [["key": "q", "value": "y"]], "tags": [pair],
        ],
        "POST /runs/log-inputs": [
            "run_id": "$run", "models": [["model_id": "$logged"]],
            "datasets": [
                [
                    "tags": [["key": "mlflow.data.context", "value": "train"]],
                    "dataset": [
                        "name": "d", "digest": "1", "source_type": "local", "source": "{}", "schema": "{}",
                        "profile": "{}",
                    ],
                ]
            ],
        ],
        "POST /runs/outputs": ["run_id": "$run", "models": [["model_id": "$logged", "step": 1]]],
        "GET /metrics/get-history": ["run_id": "$run", "metric_key": "loss", "max_results": 3],
        "GET /metrics/get-history-bulk": ["run_id": ["$run"], "metric_key": "loss", "max_results": 3],
        "GET /metrics/get-history-bulk-interval": [
            "run_ids": ["$run"], "metric_key": "loss", "max_results": 3, "start_step": 0, "end_step": 9,
        ],
        "GET /artifacts/list": ["run_id": "$run", "path": "model"],
        "GET /get-trace-artifact": ["request_id": "$trace", "path": "a"],
        "POST /upload-artifact": ["a": 1],
        "GET /gateway-proxy": [:], "POST /datasets/search": [:], "GET /ui-telemetry": [:], "GET /server-info": [:],
        "POST /traces": [
            "trace": [
                "trace_info": [
                    "trace_id": "$trace", "request_time": "2026-01-02T03:04:05.678Z", "state": "OK",
                    "execution_duration": "1.5s", "client_request_id": "c", "request_preview": "p",
                    "response_preview": "q", "trace_metadata": ["a": "b"], "tags": ["t": "u"],
                    "trace_location": [
                        "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": ["experiment_id": "$experiment"],
                    ],
                ]
            ]
        ],
        "GET /traces/{id}": [:],
        "GET /traces/get": ["trace_id": "$trace", "allow_partial": true],
        "GET /traces/batchGet": ["trace_ids": ["$trace"]],
        "POST /traces/batchGetInfos": ["trace_ids": ["$trace"]],
        "POST /traces/search": [
            "locations": [["type": "MLFLOW_EXPERIMENT", "mlflow_experiment": ["experiment_id": "$experiment"]]],
            "filter": "trace.status = 'OK' AND timestamp_ms > 1 AND tags.t = 'u'", "order_by": ["timestamp_ms DESC"],
            "max_results": 5,
        ],
        "PATCH /traces/{id}/tags": pair,
        "DELETE /traces/{id}/tags": ["key": "a"],
        "POST /traces/delete-traces": ["experiment_id": "$experiment", "request_ids": ["none"]],
        "POST /logged-models": [
            "experiment_id": "$experiment", "name": "m", "model_type": "t", "source_run_id": "$run", "params": [pair],
            "tags": [pair],
        ],
        "POST /logged-models/search": [
            "experiment_ids": ["$experiment"], "filter": "metrics.loss > 0 AND name = 'm'",
            "order_by": [
                ["field_name": "metrics.loss", "ascending": false, "dataset_name": "d", "dataset_digest": "1"]
            ],
            "datasets": [["dataset_name": "d", "dataset_digest": "1"]], "max_results": 5,
        ],
        "GET /logged-models/{id}": ["allow_deleted": true],
        "PATCH /logged-models/{id}": ["status": "LOGGED_MODEL_READY"],
        "DELETE /logged-models/{id}": [:],
        "PATCH /logged-models/{id}/tags": ["tags": [pair]],
        "DELETE /logged-models/{id}/tags/{key}": [:],
        "POST /logged-models/{id}/params": ["params": [["key": "z", "value": "1"]]],
        "GET /logged-models/{id}/artifacts/directories": ["artifact_directory_path": "a"],
        "GET /logged-models/{id}/artifacts/files": ["artifact_file_path": "a"],
        "POST /registered-models/create": ["name": "$model", "description": "d", "tags": [pair]],
        "GET /registered-models/get": model,
        "PATCH /registered-models/update": ["name": "$model", "description": "e"],
        "POST /registered-models/rename": ["name": "$model", "new_name": "n"],
        "DELETE /registered-models/delete": model,
        "GET /registered-models/search": search("name ILIKE 'M%' AND tags.a != 'c'", "timestamp DESC"),
        "GET /registered-models/get-latest-versions": ["name": "$model", "stages": ["None", "Production"]],
        "POST /registered-models/get-latest-versions": ["name": "$model", "stages": ["None"]],
        "POST /registered-models/set-tag": pair.merged(with: model),
        "DELETE /registered-models/delete-tag": ["name": "$model", "key": "a"],
        "POST /registered-models/alias": ["name": "$model", "alias": "best", "version": "1"],
        "DELETE /registered-models/alias": ["name": "$model", "alias": "best"],
        "GET /registered-models/alias": ["name": "$model", "alias": "best"],
        "POST /model-versions/create": [
            "name": "$model", "source": "mlflow-artifacts:/0/a", "run_id": "$run", "run_link": "http://a/b",
            "model_id": "$logged", "description": "d", "tags": [pair],
        ],
        "GET /model-versions/get": version,
        "PATCH /model-versions/update": ["name": "$model", "version": "1", "description": "e"],
        "POST /model-versions/transition-stage": [
            "name": "$model", "version": "1", "stage": "Staging", "archive_existing_versions": true,
        ],
        "DELETE /model-versions/delete": version,
        "GET /model-versions/search": search("name = '$model' AND run_id IN ('a') AND version_number > '0'", "name"),
        "GET /model-versions/get-download-uri": version,
        "POST /model-versions/set-tag": pair.merged(with: version),
        "DELETE /model-versions/delete-tag": ["name": "$model", "version": "1", "key": "a"],
        // What would be told of an event is told to nobody: none of these is active.
        "POST /webhooks": [
            "name": "w", "url": "https://127.0.0.1:9/x", "status": "DISABLED", "secret": "s",
            "events": [["entity": "REGISTERED_MODEL", "action": "CREATED"]],
        ],
        "GET /webhooks": ["max_results": 5],
        "GET /webhooks/{id}": [:],
        "PATCH /webhooks/{id}": ["description": "d", "status": "DISABLED"],
        "DELETE /webhooks/{id}": [:],
        "POST /webhooks/{id}/test": ["event": ["entity": "REGISTERED_MODEL", "action": "CREATED"]],
    ]

    /// What is asked for outside of `/mlflow`, with its fields.
    static let others: [(method: HTTPMethod, path: String, fields: JSONValue)] = [
        (.get, "/get-artifact", ["run_id": "$run", "path": "a"]),
        (.get, "/model-versions/get-artifact", ["name": "$model", "version": "1", "path": "a"]),
        (.get, "/api/2.0/mlflow-artifacts/artifacts", ["path": "0"]),
        (.get, "/api/2.0/mlflow-artifacts/artifacts/$path", [:]),
        (.put, "/ajax-api/2.0/mlflow-artifacts/artifacts/$path", ["a": 1]),
        (.delete, "/api/2.0/mlflow-artifacts/artifacts/$path", [:]),
        (.post, "/api/2.0/mlflow-artifacts/mpu/create/$path", [:]),
        (.get, "/api/2.0/mlflow-artifacts/presigned/$path", [:]),
    ]

    /// What is put in the place of values.
    static let odd: [JSONValue] = [
        .null, "", " ", "0", "-1", "$run", "$model", 0, -1, 1, .integer(.max), .integer(.min), .number(0.5),
        .number(1e300), true, false, [], [:], [[]], ["a"], [1], [.null], [["key": "a", "value": 1]], ["a": ["b": []]],
        "NaN", "Infinity", "1e999", "9223372036854775808", "99999999999999999999", "a\u{0}b", "é🙂", "\u{FEFF}",
        "\u{2028}", "'", "'; DROP TABLE runs --", "%", "a//b", "../x", "a/../b", "models:/m/1", "models:/x",
        "runs:/$run/a",
        "mlflow-artifacts:/../x", "mlflow-artifacts://h:1/0/a", "file:///etc/passwd", "None", "DELETED_ONLY", "true",
        "eyJvZmZzZXQiOiAtMX0=", "eyJvZmZzZXQiOiAyMTQ3NDgzNjQ3fQ==", "metrics.`a` > 1e308", "start_time > -1e300",
        "9999-12-31T23:59:59.999999Z", "-1s", "1e300s", "2026-02-30T00:00:00Z",
        .string(String(repeating: "x", count: 9000)),
        .array([JSONValue](repeating: "0", count: 1200)),
    ]

    private static let run: JSONValue = ["run_id": "$run"]
    private static let model: JSONValue = ["name": "$model"]
    private static let version: JSONValue = ["name": "$model", "version": "1"]
    private static let pair: JSONValue = ["key": "a", "value": "b"]
    private static let metric: JSONValue = [
        "key": "loss", "value": 0.5, "timestamp": 1_700_000_000_000, "step": 1, "model_id": "$logged",
        "dataset_name": "d", "dataset_digest": "1",
    ]

    private static func search(_ filter: String, _ order: String) -> JSONValue {
        ["filter": .string(filter), "order_by": [.string(order)], "max_results": 5, "view_type": "ALL"]
    }
}

extension JSONValue {
    fileprivate func merged(with other: JSONValue) -> JSONValue {
        .object((object ?? [:]).merging(other.object ?? [:]) { $1 })
    }
}
