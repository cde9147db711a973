import Basics

/// The YAML of a factory directory, read and sorted by folder. What it means is for the layers to say.
public struct FactoryDocuments: Sendable {
    /// `works.yaml`.
    public let manifest: YAMLNode
    /// Documents by folder, in order of path.
    public let folders: [String: [YAMLNode]]
    private let files: [String: String]

    /// The folders a factory directory may have.
    public static let folderNames = [
        "data", "features", "training", "pipelines", "serving", "streams", "monitoring", "governance",
    ]
    /// The name of the file every factory directory has.
    public static let manifestName = "works.yaml"

    /// - Parameters:
    ///   - files: texts by path relative to the directory.
    ///   - environment: what `${NAME}` and `${NAME:-default}` in `works.yaml` stand for.
    /// - Throws: ``ConfigurationFailure``.
    public init(files: [String: String], environment: [String: String]) throws {
        guard let text = files[Self.manifestName] else {
            throw ConfigurationFailure(
                file: Self.manifestName, "the directory has no such file",
                remedy: "Run 'modelworks init DIRECTORY', or name a factory directory.")
        }
        let documents = try YAMLParser.parse(
            try Self.substitute(text, environment, file: Self.manifestName), file: Self.manifestName)
        guard documents.count == 1, let manifest = documents.first else {
            throw ConfigurationFailure(file: Self.manifestName, "the file must hold one document")
        }
        self.manifest = manifest
        self.files = files
        var folders: [String: [YAMLNode]] = [:]
        for path in files.keys.sorted() where path.hasSuffix(".yaml") && path != Self.manifestName {
            let folder = String(path.split(separator: "/").first ?? "")
            guard path.contains("/"), Self.folderNames.contains(folder) else {
                throw ConfigurationFailure(
                    file: path, "definitions stand in a folder of their kind",
                    remedy: "Folders: \(Self.folderNames.joined(separator: ", ")).")
            }
            folders[folder, default: []] += try YAMLParser.parse(files[path] ?? "", file: path)
        }
        self.folders = folders
    }

    /// The documents under `pipelines/` of one kind; those that say none are pipelines.
    /// - Throws: ``ConfigurationFailure`` for a document of a kind that has no place there.
    public func automations(of kind: AutomationKind) throws -> [YAMLNode] {
        try (folders["pipelines"] ?? []).filter { node in
            try node.declaredKind(
                of: AutomationKind.allCases.map(\.rawValue), default: AutomationKind.pipeline.rawValue)
                == kind.rawValue
        }
    }

    /// What may stand under `pipelines/`.
    public enum AutomationKind: String, Sendable, CaseIterable { case pipeline, job, score }

    /// The text of a file that a document names, relative to the document's own folder.
    ///
    /// - Throws: ``ConfigurationFailure`` where it is not in the directory.
    public func text(_ name: YAMLNode) throws -> String {
        let path = try name.string()
        let folder = name.place.file.split(separator: "/").dropLast().joined(separator: "/")
        let full = folder.isEmpty ? path : "\(folder)/\(path)"
        guard let text = files[full] else {
            let nearest = NearestWord.of(full, among: Array(files.keys))
            throw ConfigurationFailure(
                name.place, "there is no file '\(full)'" + (nearest.map { " (did you mean '\($0)'?)" } ?? ""))
        }
        return text
    }

    /// A text with `${NAME}` and `${NAME:-default}` replaced by what the environment says.
    /// - Parameter file: where the text stands, for messages.
    /// - Throws: ``ConfigurationFailure`` where a variable is missing and has no default.
    public static func substitute(_ text: String, _ environment: [String: String], file: String) throws -> String {
        var result = ""
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if index > 0 { result += "\n" }
            var rest = line
            while let start = rest.firstRange(of: "${") {
                result += rest[..<start.lowerBound]
                let inner = rest[start.upperBound...]
                guard let end = inner.firstIndex(of: "}") else {
                    throw ConfigurationFailure(
                        SourcePlace(file: file, line: index + 1, column: 1), "'${' has no '}'")
                }
                let parts = inner[..<end].split(separator: ":-", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts.first ?? "")
                guard let value = environment[name] ?? (parts.count == 2 ? parts.last.map(String.init) : nil) else {
                    throw ConfigurationFailure(
                        SourcePlace(file: file, line: index + 1, column: 1),
                        "the environment has no '\(name)'", remedy: "Set it, or write ${\(name):-default}.")
                }
                result += value
                rest = inner[inner.index(after: end)...]
            }
            result += rest
        }
        return result
    }
}
