import Basics

/// What is known in the course of an import.
struct ImportWork {
    var report: ImportReport
    var total: Int?
    var done = 0
    var experiments = Tally("experiments")
    var runs = Tally("runs")
    var loggedModels = Tally("logged models")
    var models = Tally("registered models")
    var artifacts = Tally("artifacts")
    var values: [String: Int] = [:]
    /// Where artifacts lie here, by where they lay.
    var places: [String: String] = [:]
    /// The same by the runs and logged models that they are of.
    var owners: [String: String] = [:]

    mutating func differ(_ what: String, _ reason: String) {
        report.differences.append(.init(what: what, reason: reason))
    }
}
