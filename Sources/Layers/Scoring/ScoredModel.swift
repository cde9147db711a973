import Basics
import Datasets
import Foundation
import Inference

/// A loaded model with the name and version that each of its predictions is stamped with.
public struct ScoredModel: Sendable {
    public let name: String
    /// The registry's version, or the first digits of the files' digest.
    public let version: String
    /// Of all its files.
    public let digest: Digest
    public let model: any TensorModel
    /// What its one input takes, column by column, where that is known better than the model itself tells.
    let columns: [SignatureColumn]?
    /// Names of the columns of its one output.
    let outputs: [String]?
    /// The file, where it is a single one that another runtime can be given.
    public let file: String?

    /// Loads a model file or folder; blocks.
    /// - Throws: `InferenceError`, `DatasetsFailure`.
    public init(path: String, options: ModelOptions) throws {
        let model = try ModelFolder.load(at: path, options: options)
        let url = URL(fileURLWithPath: path)
        digest = try ModelFolder.digest(at: path, options: options)
        name = url.deletingPathExtension().lastPathComponent
        version = digest.short
        self.model = model
        columns = model.columnNames.map { names in
            names.map { SignatureColumn(name: $0, datatype: model.inputs.first?.datatype ?? .fp64, nullable: true) }
        }
        outputs = nil
        var isFolder: ObjCBool = false
        file = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue ? path : nil
    }

    /// Any model of tensors, under a name and version of the caller's.
    public init(name: String, version: String, digest: Digest, _ model: any TensorModel) {
        self.name = name
        self.version = version
        self.digest = digest
        self.model = model
        columns = nil
        outputs = nil
        file = nil
    }

    /// A version of a registry, from the files of its bundle.
    public init(name: String, version: String, _ loaded: LoadedModel) {
        self.name = name
        self.version = version
        digest = loaded.digest
        let size = loaded.files.values.reduce(0) { $0 + $1.count }
        model = RowsAsTensors(loaded.model, platform: loaded.manifest.kind, byteCount: size)
        columns = loaded.manifest.signature.inputs
        outputs = loaded.manifest.signature.outputs.map(\.name)
        file = nil
    }

    /// The same name, version and columns over another form of the model.
    init(_ other: ScoredModel, running model: any TensorModel) {
        name = other.name
        version = other.version
        digest = other.digest
        self.model = model
        columns = other.columns
        outputs = nil
        file = nil
    }
}
