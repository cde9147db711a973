import Basics

/// The state of the code that a training was asked from.
public struct CodeState: Sendable, Codable, Equatable {
    /// The commit's name, 40 or 64 hexadecimal digits.
    public var commit: String
    /// Nil where no branch is checked out.
    public var branch: String?
    /// Of the changes of tracked files since the commit; nil where there are none.
    public var diff: Digest?

    public init(commit: String, branch: String?, diff: Digest?) {
        self.commit = commit
        self.branch = branch
        self.diff = diff
    }

    public var isDirty: Bool { diff != nil }

    /// As tags of a run, under the names that MLflow's clients read.
    var tags: [String: String] {
        var tags = ["mlflow.source.git.commit": commit]
        if let branch { tags["mlflow.source.git.branch"] = branch }
        if let diff { tags["code.diff"] = diff.description }
        return tags
    }
}

/// Everything that decides how a training comes out: what is needed to do it again. Each run has it as a file.
public struct TrainingRecipe: Sendable, Codable, Equatable {
    /// Its name among the artifacts of a run.
    public static let file = "recipe.json"

    /// As it was in force.
    public var definition: TrainingDefinition
    /// The range of rows, the held-out part included.
    public var from: Timestamp
    public var to: Timestamp
    /// Nil where the one who asked had none.
    public var code: CodeState?
    /// Dataset versions by table.
    public var datasets: [String: Digest]
    /// Of the feature service's definitions.
    public var features: Digest
    /// Of the rows and columns that were learnt from.
    public var trainingSet: Digest
    /// Versions of the program and its libraries.
    public var environment: [String: String]
    /// The machine: operating system, processor, cores.
    public var host: [String: String]

    /// Inputs by names that people know, for telling which of them differ.
    var inputs: [String: String] {
        var inputs = [
            "code.commit": code?.commit ?? "", "code.diff": code?.diff?.description ?? "",
            "data.trainingSet": trainingSet.description, "features.\(definition.service)": features.description,
            "seed": "\(definition.seed)",
        ]
        for (table, digest) in datasets { inputs["data.\(table)"] = digest.description }
        for (name, version) in environment { inputs["environment.\(name)"] = version }
        for (name, value) in host { inputs["host.\(name)"] = value }
        return inputs
    }
}

/// What came of doing a run again.
public struct Reproduction: Sendable, Codable, Equatable {
    /// The run that was done again.
    public var original: String
    /// The run that was made.
    public var run: String
    /// Metrics whose values have other bits, and files of the model with other bytes.
    public var outcomes: [Difference]
    /// Inputs that are not what they were, whether or not it mattered.
    public var inputs: [Difference]

    /// Whether it came out the same, bit by bit.
    public var isEqual: Bool { outcomes.isEmpty }

    /// Something that is not what it was.
    public struct Difference: Sendable, Codable, Equatable {
        public var name: String
        /// Nil where there was none.
        public var then: String?
        /// Nil where there is none.
        public var now: String?
    }

    /// The names whose values differ.
    static func differences(_ then: [String: String], _ now: [String: String]) -> [Difference] {
        Set(then.keys).union(now.keys).sorted().filter { then[$0] != now[$0] }
            .map { Difference(name: $0, then: then[$0], now: now[$0]) }
    }
}
