/// A job as Ray's Jobs interface shows it.
struct RayJob: Decodable, Sendable {
    var submissionID: String?
    var status: String
    var message: String?
    var errorType: String?
    var exitCode: Int?
    var metadata: [String: String]?

    private enum CodingKeys: String, CodingKey {
        case submissionID = "submission_id"
        case status, message, metadata
        case errorType = "error_type"
        case exitCode = "driver_exit_code"
    }

    var execution: JobExecution {
        switch status {
        case "PENDING": return JobExecution(.pending, reason: message)
        case "RUNNING": return JobExecution(.running)
        case "SUCCEEDED": return JobExecution(.succeeded, exitCode: 0)
        case "STOPPED": return JobExecution(.cancelled, exitCode: exitCode, reason: message)
        default:
            let limited = metadata?["time_limit"]?.isEmpty == false
            if limited, exitCode == ShellText.timedOut {
                return JobExecution(.timedOut, exitCode: exitCode, reason: "its time limit was reached")
            }
            let state: JobExecution.State = RayJob.interruptions.contains(errorType ?? "") ? .interrupted : .failed
            return JobExecution(state, exitCode: exitCode, reason: message.map { String($0.prefix(2000)) })
        }
    }

    // The process that watches a job on its node died with the node, or never found a place.
    private static let interruptions: Set<String> = [
        "JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", "JOB_SUPERVISOR_ACTOR_START_TIMEOUT",
    ]
}

struct RayLogs: Decodable, Sendable {
    var logs: String?
}

struct RayVersion: Decodable, Sendable {
    var version: String
    var ray: String

    private enum CodingKeys: String, CodingKey {
        case version
        case ray = "ray_version"
    }
}
