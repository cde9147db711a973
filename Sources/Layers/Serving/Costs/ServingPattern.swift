/// The ways in which a model can be put to work.
public enum ServingPattern: String, Sendable, Codable, CaseIterable {
    /// Tables are scored on a schedule.
    case batch
    /// Events of a topic are scored as they come.
    case stream
    /// Callers ask an endpoint and wait for the answer.
    case realTime = "real-time"
    /// The model runs where the decision is made, with no network between.
    case edge
}
