import Basics
import Configuration
import Experiments

/// What MLflow's file `MLmodel` says of the model beside it.
struct ModelDescription {
    static let path = "MLmodel"
    /// How long it may be, in bytes; a longer one says nothing.
    static let lengthLimit: Int64 = 4 << 20

    /// The digest of its inputs, outputs and parameters, as they are written; nil where it has none.
    let signature: Digest?
    /// The path of its input example; nil where it has none.
    let sample: String?

    /// - Parameter text: nil where there is no such file; one that can not be read says nothing.
    init(_ text: String?) {
        guard let text, let node = try? YAMLParser.parse(text, file: Self.path).first, let map = try? node.mapping()
        else {
            (signature, sample) = (nil, nil)
            return
        }
        let parts = try? map.node("signature")?.mapping().entries.compactMap { entry -> (String, JSONValue)? in
            entry.value.isNull ? nil : (entry.key, .string(try entry.value.string()))
        }
        signature = parts.flatMap { parts in
            (try? JSON.canonical(JSONValue.object(Dictionary(parts) { $1 }))).map { Digest(of: $0) }
        }
        let example = try? map.node("saved_input_example_info")?.mapping()
        sample = try? example?.string("artifact_path")
    }
}

extension BillOfMaterials {
    /// Tags that MLflow's client sets on runs and logged models.
    private enum Tag {
        static let commit = "mlflow.source.git.commit"
        static let diff = "mlflow.source.git.diff"
        static let context = "mlflow.data.context"
        /// What our own trainings know of their environment.
        static let environment = "environment."
    }

    /// The files that an environment is made again from.
    private static let lockFiles = ["requirements.txt", "conda.yaml", "python_env.yaml"]

    /// What a client has told of a model.
    /// - Parameter description: the text of its `MLmodel`; nil where there is none.
    init(run: RunRecord?, model: LoggedModel?, manifest: ArtifactManifest, description: String?) {
        let tags = Dictionary(((model?.tags ?? []) + (run?.tags ?? [])).map { ($0.key, $0.value) }) { $1 }
        let parameters = ((model?.parameters ?? []) + (run?.parameters ?? [])).map { ($0.key, $0.value) }
        self.init(code: tags[Tag.commit] ?? "", parameters: Dictionary(parameters) { $1 })
        diff = tags[Tag.diff].flatMap { $0.isEmpty ? nil : Digest(of: $0) }
        inputs = (run?.datasets ?? []).map { dataset in
            Input(
                name: dataset.name, digest: dataset.digest, source: dataset.source,
                context: dataset.tags.first { $0.key == Tag.context }?.value ?? "")
        }
        for (key, value) in tags where key.hasPrefix(Tag.environment) {
            environment[String(key.dropFirst(Tag.environment.count))] = value
        }
        for file in Self.lockFiles { environment[file] = manifest.files[file]?.digest.description }
        let described = ModelDescription(description)
        signature = described.signature
        sample = described.sample.flatMap { manifest.files[$0]?.digest }
    }
}
