import Basics

/// What can go wrong while a table is scored.
public enum ScoringFailure: Failure, Equatable {
    /// The input is of no known kind.
    case badInput(String, reason: String)
    case badOutput(String, reason: String)
    /// Options that do not go together.
    case badOptions(String, remedy: String)
    /// The table lacks a column that the model takes.
    case missingColumn(String, found: [String], nearest: String?)
    /// The model's inputs have no names that columns could have, and as many columns as it takes are not there.
    case unnamedInput(input: String, takes: Int, found: [String])
    /// A column can not be what the model takes.
    case unfitColumn(String, type: String, takes: String)
    /// The model's form is not one that rows go through.
    case unfitModel(String, reason: String)
    /// A name that the output would hold twice.
    case takenName(String)
    /// A row that the model can not be asked, by its place in the input, from 0.
    case refusedRow(row: Int64, reason: String)
    /// The output belongs to a run of something else.
    case otherRun(output: String, differs: [String])
    /// The output holds files that no run of this kind made.
    case foreignOutput(String)
    /// Another process works on the output.
    case busy(output: String)
    case changedModel(String)
    case file(path: String, reason: String)
    case spark(String, remedy: String)
    /// A model can not be exported.
    case export(String, remedy: String)
    /// The folder that a model is exported to holds something.
    case takenFolder(String)

    public var code: FailureCode {
        switch self {
        case .badInput, .badOutput, .badOptions, .missingColumn, .unnamedInput, .unfitColumn, .unfitModel, .takenName,
            .refusedRow:
            .invalidArgument
        case .otherRun, .foreignOutput, .export, .takenFolder: .failedPrecondition
        case .busy, .spark, .file: .unavailable
        case .changedModel: .internal
        }
    }

    public var message: String {
        switch self {
        case .badInput(let input, let reason): "'\(input)' can not be read as a table: \(reason)"
        case .badOutput(let output, let reason): "'\(output)' can not be written: \(reason)"
        case .badOptions(let problem, _): problem
        case .missingColumn(let name, let found, _):
            "the model takes '\(name)', and the table has no such column but \(ScoringFailure.some(found))"
        case .unnamedInput(let input, let takes, let found):
            "the model's input '\(input)' takes \(takes) numbers without names, and the table has \(found.count) columns"
        case .unfitColumn(let name, let type, let takes):
            "the column '\(name)' is \(type) where the model takes \(takes)"
        case .unfitModel(let name, let reason): "the model '\(name)' can not score rows of a table: \(reason)"
        case .takenName(let name): "the output would have two columns '\(name)'"
        case .refusedRow(let row, let reason): "row \(row) of the input can not be scored: \(reason)"
        case .otherRun(let output, let differs):
            "'\(output)' holds a run with another \(differs.joined(separator: ", "))"
        case .foreignOutput(let output): "'\(output)' holds rows that no scoring run is known to have written"
        case .busy(let output): "another process is writing '\(output)'"
        case .changedModel(let reason): "the model's answers changed their form: \(reason)"
        case .file(let path, let reason): "\(path): \(reason)"
        case .spark(let problem, _), .export(let problem, _): problem
        case .takenFolder(let folder): "'\(folder)' is there already"
        }
    }

    public var remedy: String? {
        switch self {
        case .badInput:
            "Name a Parquet, CSV or JSON file, folder or pattern, s3://…, sql:SELECT …, or a database with a query"
        case .badOutput: "Name a file that ends in .parquet, a folder, or a database with a table"
        case .badOptions(_, let remedy), .spark(_, let remedy), .export(_, let remedy): remedy
        case .takenFolder: "Name a folder that is not there, or replace it with --overwrite"
        case .missingColumn(_, _, let nearest):
            nearest.map { "Did you mean '\($0)'? Map it with --columns" } ?? "Map another column with --columns"
        case .unnamedInput: "Name the columns in the model's order with --features"
        case .unfitColumn: "Convert it in a query: --input 'sql:SELECT …'"
        case .unfitModel: "Choose outputs with --outputs, or export the model with one row of answers for each row"
        case .takenName: "Leave the input's column out with --keep, or choose outputs with --outputs"
        case .refusedRow: "Mend the row, or use --on-error null or --on-error dead-letter"
        case .otherRun: "Name another output, or start anew with --overwrite"
        case .foreignOutput: "Name another output, or replace them with --overwrite"
        case .busy: "Wait until it ends"
        case .changedModel: "Export the model with outputs of one fixed width"
        case .file: "Check its permissions and the free space"
        }
    }

    private static func some(_ names: [String]) -> String {
        names.count > 12 ? names.prefix(12).joined(separator: ", ") + ", …" : names.joined(separator: ", ")
    }
}
