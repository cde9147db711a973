import Basics
import Columnar

/// Rows of a population by column, as a replay needs them: what is asked, and the label with the moment it is known.
public struct PopulationPage: Sendable, Codable {
    public var ids: [String]
    /// Microseconds since 1970.
    public var times: [Int64]
    /// Null where there is no label.
    public var labels: [Double?]
    public var labelTimes: [Int64?]
    /// By join key of the service.
    public var keys: [String: [String?]]
    /// By request feature of the service.
    public var request: [String: [Double?]]
}

extension FeatureStore {
    /// The rows of a population with a time in a range, in time order.
    public func populationPage(
        _ population: Population, service name: String, from: Timestamp, to: Timestamp
    ) async throws -> PopulationPage {
        let service = try onlineService(name)
        let table = try await populationRows(population, from: from, to: to)
        func numbers(_ column: String) throws -> [Double?] { try table.doubles(column).map { $0.isNaN ? nil : $0 } }
        return PopulationPage(
            ids: try table.strings(population.id).map { $0 ?? "" },
            times: try table.timestamps(population.time).map { $0?.microseconds ?? 0 },
            labels: try numbers(population.label),
            labelTimes: try table.timestamps(population.labelTime).map { $0?.microseconds },
            keys: Dictionary(try service.joinKeys.map { ($0, try table.texts($0)) }) { first, _ in first },
            request: Dictionary(try service.requestNames.map { ($0, try numbers($0)) }) { first, _ in first })
    }
}
