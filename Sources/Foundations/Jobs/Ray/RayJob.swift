/// A job as Ray's Jobs interface shows it; names are Ray's own.
struct RayJob: Decodable, Sendable {
    var submission_id: String?
    var status: String
    var message: String?
    var error_type: String?
    var driver_exit_code: Int?
    var metadata: [String: String]?

    var execution: JobExecution {
        switch status {
        case "PENDING": return JobExecution(.pending, reason: message)
        case "RUNNING": return JobExecution(.running)
        case "SUCCEEDED": return JobExecution(.succeeded, exitCode: 0)
        case "STOPPED": return JobExecution(.cancelled, exitCode: driver_exit_code, reason: message)
        default:
            let limited = metadata?["time_limit"]?.isEmpty == false
            if limited, driver_exit_code == ShellText.timedOut {
                return JobExecution(.timedOut, exitCode: driver_exit_code, reason: "its time limit was reached")
            }
            let state: JobExecution.State = RayJob.interruptions.contains(error_type ?? "") ? .interrupted : .failed
            return JobExecution(state, exitCode: driver_exit_code, reason: message.map { String($0.prefix(2000)) })
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
    var ray_version: String
}
