import Testing

@testable import Jobs

/// What Slurm says, put into our words. Lines as Slurm 22.05 prints them.
@Suite struct SlurmStateTests {
    @Test func readsALineOfScontrol() throws {
        let line = """
            JobId=7 JobName=modelworks-a-1 UserId=root(0) GroupId=root(0) MCS_label=N/A Priority=1 Nice=0 JobState=FAILED \
            Reason=NonZeroExitCode Dependency=(null) ExitCode=3:0 Comment=JobState=RUNNING
            """
        let state = try #require(SlurmState(line: line))
        #expect(state.state == "FAILED")
        #expect(state.execution().exitCode == 3)
        #expect(state.execution().reason == "Slurm: FAILED, NonZeroExitCode")
        #expect(SlurmState(line: "slurm_load_jobs error: Invalid job id specified") == nil)
    }

    @Test(arguments: [
        ("PENDING", JobExecution.State.pending), ("CONFIGURING", .pending), ("RUNNING", .running),
        ("COMPLETING", .running), ("SUSPENDED", .running), ("COMPLETED", .succeeded), ("FAILED", .failed),
        ("TIMEOUT", .timedOut), ("DEADLINE", .timedOut), ("OUT_OF_MEMORY", .outOfMemory), ("CANCELLED", .cancelled),
        ("CANCELLED by 1000", .cancelled), ("CANCELLED+", .cancelled), ("NODE_FAIL", .interrupted),
        ("BOOT_FAIL", .interrupted), ("PREEMPTED", .interrupted), ("unheard of", .failed),
    ])
    func everyStateHasAMeaning(state: String, expected: JobExecution.State) {
        #expect(SlurmState(state: state).execution().state == expected)
    }

    @Test func aSignalAndATimeLimitAreTold() {
        #expect(SlurmState(state: "CANCELLED", exit: "0:15").execution().exitCode == 143)
        #expect(SlurmState(state: "FAILED", exit: "124:0").execution().state == .failed)
        #expect(SlurmState(state: "FAILED", exit: "124:0").execution(limited: true).state == .timedOut)
    }
}
