import Basics
import Foundation

/// How models that only Python can run are run.
public struct PythonOptions: Sendable {
    /// The Python that has MLflow and what the model needs: a path, or a name that is looked for. Where it is nil the
    /// model's own `.venv/bin/python` is taken if its folder has one, else the variable MODELWORKS_PYTHON, else `python3`.
    public var python: String?
    /// Seconds a process may take to load the model.
    public var startSeconds = 120.0
    /// Seconds a request may wait and run; then the process is taken for hung.
    public var requestSeconds = 60.0
    /// Bytes of data the process may hold once the model is loaded, by RLIMIT_DATA; 0 for no limit.
    public var memoryBytes = 4 << 30
    /// Seconds before an ended process is replaced; each time it ends again without an answer between, twice as long.
    public var pauseFirst = 0.1
    public var pauseMax = 30.0

    public init() {}

    func interpreter(for folder: String) -> String {
        let own = folder + "/.venv/bin/python"
        return python ?? (FileManager.default.isExecutableFile(atPath: own) ? own : nil)
            ?? ProcessInfo.processInfo.environment["MODELWORKS_PYTHON"] ?? "python3"
    }

    /// What the process inherits: everything but this program's own settings, which may hold secrets.
    var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("MODELWORKS_") }
    }
}

/// Any model that MLflow can load as a Python function, run by a Python process of its own that is watched, or by several:
/// they may crash, hang or eat memory, and only their own requests fail.
///
/// Each loads the model's code and pickles and can do what this program's user can: it protects the server from
/// the model's faults, not from its malice. Inputs and outputs are the model's signature: of a table one tensor
/// `[rows, 1]` for each column in and `[rows]` out, or the tensors it names. Dates travel as ISO 8601 text, and what has no
/// type of the protocol as JSON text, both BYTES.
public final class PythonModel: ScalableModel {
    public let platform = "mlflow_python_function"
    public var inputs: [TensorSpec] { pool.inputs }
    public var outputs: [TensorSpec] { pool.outputs }
    /// As the runs of its first rows show.
    public let stacksRows: Bool
    /// What the process held once the model was loaded.
    public let byteCount: Int

    private let pool: PythonPool

    /// - Parameter folder: the model's, with its `MLmodel` file.
    /// - Throws: ``InferenceError`` where no process can be started, or it can not load the model.
    public init(folder: String, options: PythonOptions = PythonOptions()) throws {
        let pool = try PythonPool(folder: folder, options: options)
        self.pool = pool
        byteCount = pool.status.residentBytes
        let names = pool.outputs.map(\.name)
        stacksRows = RowProbe(inputs: pool.inputs, outputs: pool.outputs).shows { inputs, wanted in
            try pool.run(inputs, wanted: wanted.map { names[$0] })
        }
    }

    public func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        let outputs = pool.outputs
        guard inputs.count == pool.inputs.count, wanted.allSatisfy(outputs.indices.contains) else {
            throw InferenceError.shape("the model has \(pool.inputs.count) inputs and \(outputs.count) outputs")
        }
        return try pool.run(inputs, wanted: wanted.map { outputs[$0].name })
    }

    /// A process that answers now, if one does, and how many ended before it.
    public var process: (identifier: Int32?, restarts: Int) {
        let status = pool.status
        return (status.process, status.restarts)
    }

    /// The processes that answer now.
    public var processes: [Int32] { pool.processes }

    public var replicas: Int { pool.count }

    /// With none, the next request starts one and waits for it.
    public func scale(to count: Int) { pool.scale(to: count) }

    /// Ends the processes; requests fail from now on.
    public func close() { pool.close() }
}
