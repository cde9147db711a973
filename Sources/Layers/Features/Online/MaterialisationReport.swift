import Basics
import Synchronization

/// What a materialisation did.
public struct MaterialisationReport: Sendable, Codable, Equatable {
    /// What it did for one view.
    public struct View: Sendable, Codable, Equatable {
        public var view: String
        /// Rows that were written.
        public var written: Int
        /// Rows that were not, because the store holds newer ones.
        public var skipped: Int
        /// Rows that name no entity, because a join key is null.
        public var keyless: Int
        /// Whether it went on where an earlier one had ended.
        public var resumed: Bool
        public var seconds: Double
    }

    public var from: Timestamp?
    public var to: Timestamp
    public var views: [View]
    public var warnings: [String]
    public var seconds: Double
    public var rowsPerSecond: Double

    /// Rows that were written, of all views.
    public var written: Int { views.reduce(0) { $0 + $1.written } }
}

/// How far a materialisation is.
public struct MaterialisationProgress: Sendable, Codable, Equatable {
    /// The view that is being written.
    public var view: String
    /// Rows looked at, of all views so far.
    public var done: Int
    /// Rows to look at, of the views so far and the present one.
    public var total: Int
}

/// A materialisation that goes on while its caller does something else.
public final class MaterialisationRun: Sendable {
    /// How it stands.
    public struct Status: Sendable, Codable {
        public var id: String
        public var state: State
        public var progress: MaterialisationProgress?
        public var report: MaterialisationReport?
        public var error: String?
    }

    public enum State: String, Sendable, Codable { case running, done, failed }

    public let id: String
    private let held: Mutex<Status>

    init(id: String) {
        self.id = id
        held = Mutex(Status(id: id, state: .running))
    }

    public var status: Status { held.withLock { $0 } }

    func progress(_ progress: MaterialisationProgress) { held.withLock { $0.progress = progress } }

    func end(_ result: Result<MaterialisationReport, any Error>) {
        held.withLock { status in
            switch result {
            case .success(let report):
                status.state = .done
                status.report = report
            case .failure(let error):
                status.state = .failed
                status.error = (error as? any Failure)?.description ?? "\(error)"
            }
        }
    }
}
