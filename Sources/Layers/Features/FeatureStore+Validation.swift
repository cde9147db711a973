import Datasets

extension FeatureStore {
    /// Judges one table's file, or those of all tables in order of name, by their expectations; publishes nothing.
    ///
    /// - Parameter file: read in place of the file of the one table that is named.
    /// - Throws: ``DatasetsFailure``.
    public func validate(_ names: [String]? = nil, file: String? = nil) async throws -> [ValidationReport] {
        let catalogue = catalogue
        let tables = try names?.map { try catalogue.table($0) } ?? catalogue.tables.values.sorted { $0.name < $1.name }
        guard file == nil || tables.count == 1 else { throw DatasetsFailure.fileOfManyTables }
        var reports: [ValidationReport] = []
        for table in tables { reports.append(try await datasets.validate(table, from: dataFolder, file: file)) }
        return reports
    }
}
