internal import CTransport

/// Runs the parts of a task on the loop thread of a request, so that an answer is sent without waking another thread
/// first. Only for tasks whose parts are short: the other connections of the loop wait meanwhile.
final class LoopExecutor: TaskExecutor, @unchecked Sendable {
    // The transport takes jobs from any thread, and this is the only owner of the handle.
    private let loop: OpaquePointer

    /// - Parameter exchange: one that has not been answered yet.
    init(of exchange: Exchange) { loop = mw_exchange_retain_loop(exchange.pointer) }

    deinit { mw_loop_release(loop) }

    func enqueue(_ job: consuming ExecutorJob) {
        let work = Unmanaged.passRetained(Work(job: UnownedJob(job), executor: self))
        let taken = mw_loop_post(
            loop,
            { context in
                guard let context else { return }
                Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
            }, work.toOpaque())
        // Where the server has stopped nothing waits for this thread any more.
        if taken == 0 { work.takeRetainedValue().run() }
    }

    private final class Work: Sendable {
        private let job: UnownedJob
        private let executor: LoopExecutor

        init(job: UnownedJob, executor: LoopExecutor) {
            self.job = job
            self.executor = executor
        }

        func run() { job.runSynchronously(on: executor.asUnownedTaskExecutor()) }
    }
}
