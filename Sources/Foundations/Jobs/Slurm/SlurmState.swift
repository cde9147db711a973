/// What Slurm says of a job, from `scontrol show job -o` or `sacct -P`.
struct SlurmState: Sendable, Hashable {
    /// Such as `RUNNING` or `CANCELLED by 1000`.
    var state: String
    var reason: String?
    /// Exit code and signal.
    var exit: (code: Int, signal: Int)?

    static func == (left: SlurmState, right: SlurmState) -> Bool {
        left.state == right.state && left.reason == right.reason && left.exit?.code == right.exit?.code
            && left.exit?.signal == right.exit?.signal
    }

    func hash(into hasher: inout Hasher) { hasher.combine(state) }

    init(state: String, reason: String? = nil, exit: String? = nil) {
        self.state = state
        self.reason = reason.flatMap { $0.isEmpty || $0 == "None" || $0 == "(null)" ? nil : $0 }
        let numbers = exit?.split(separator: ":").compactMap { Int($0) } ?? []
        self.exit = numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }

    /// Reads one line of `Key=Value` pairs; nil where it has no `JobState`.
    init?(line: String) {
        var values: [String: String] = [:]
        for word in line.split(whereSeparator: \.isWhitespace) {
            guard let sign = word.firstIndex(of: "=") else { continue }
            let key = String(word[..<sign])
            // A later value may be part of a command line.
            if values[key] == nil { values[key] = String(word[word.index(after: sign)...]) }
        }
        guard let state = values["JobState"] else { return nil }
        self.init(state: state, reason: values["Reason"], exit: values["ExitCode"])
    }

    /// - Parameter limited: whether the command ran under `timeout`.
    func execution(limited: Bool = false) -> JobExecution {
        let code = exit.map { $0.signal > 0 ? 128 + $0.signal : $0.code }
        let note = reason.map { "Slurm: \(state), \($0)" } ?? "Slurm: \(state)"
        // Such as `CANCELLED by 1000` and `RUNNING+`.
        switch state.prefix(while: { $0.isUppercase || $0 == "_" }) {
        case "PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD":
            return JobExecution(.pending, reason: note)
        case "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT":
            return JobExecution(.running)
        case "COMPLETED": return JobExecution(.succeeded, exitCode: 0)
        case "TIMEOUT", "DEADLINE": return JobExecution(.timedOut, exitCode: code, reason: note)
        case "OUT_OF_MEMORY": return JobExecution(.outOfMemory, exitCode: code, reason: note)
        case "CANCELLED": return JobExecution(.cancelled, exitCode: code, reason: note)
        case "NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED":
            return JobExecution(.interrupted, exitCode: code, reason: note)
        default:
            if limited, code == ShellText.timedOut {
                return JobExecution(.timedOut, exitCode: code, reason: "its time limit was reached")
            }
            return JobExecution(.failed, exitCode: code, reason: note)
        }
    }
}
