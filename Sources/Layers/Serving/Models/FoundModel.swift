import Foundation
import Inference

/// A model as it lies in a models folder, not yet loaded.
struct FoundModel: Sendable, Equatable {
    let name: String
    var versions: [Version] = []
    /// The file that says how it is served; nil where there is none.
    var configuration: String?
    /// Moves when the configuration is changed.
    var configurationState: [String] = []
    var warnings: [String] = []
    /// Why it can not be loaded; nil where it can.
    var problem: String?

    struct Version: Sendable, Equatable {
        /// A whole number without leading zeros.
        let number: String
        let path: String
        /// Names, sizes and times of its files: moves when one of them is changed.
        let state: [String]
    }

    /// Everything in a models folder, by name.
    ///
    /// - Throws: ``ServingFailure/badModelsFolder(_:_:)`` where it can not be read.
    static func all(in folder: String) throws -> [FoundModel] {
        let entries: [String]
        do { entries = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw ServingFailure.badModelsFolder(folder, "\((error as NSError).localizedDescription)")
        }
        var found: [String: FoundModel] = [:]
        for entry in entries.sorted() where !entry.hasPrefix(".") {
            guard let model = FoundModel(entry, in: folder) else { continue }
            if found[model.name] != nil {
                found[model.name]?.problem = "more than one file or folder of the models folder has this name"
            } else {
                found[model.name] = model
            }
        }
        return found.values.sorted { $0.name < $1.name }
    }

    /// One model of a folder; nil where it has none of this name.
    static func named(_ name: String, in folder: String) throws -> FoundModel? {
        try all(in: folder).first { $0.name == name }
    }

    /// Nil where the entry is no model.
    private init?(_ entry: String, in folder: String) {
        let path = "\(folder)/\(entry)"
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return nil }
        if !isFolder.boolValue {
            let ending = (entry as NSString).pathExtension.lowercased()
            name = (entry as NSString).deletingPathExtension
            guard ModelFolder.endings.contains(ending), !name.isEmpty else { return nil }
            versions = [Version(number: "1", path: path, state: Self.state(of: path))]
            return
        }
        name = entry
        let inside = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        if let file = ["config.yaml", "config.json"].first(where: inside.contains) {
            configuration = "\(path)/\(file)"
            configurationState = Self.state(of: "\(path)/\(file)")
        } else if inside.contains("config.pbtxt") {
            warnings.append("config.pbtxt is not read: write the same words as config.yaml")
        }
        versions = inside.filter(Self.isVersion).map {
            Version(number: $0, path: "\(path)/\($0)", state: Self.state(of: "\(path)/\($0)"))
        }
        .sorted { (Int($0.number) ?? 0) < (Int($1.number) ?? 0) }
        guard versions.isEmpty else { return }
        if inside.contains(where: { $0 == "MLmodel" || Self.isModelFile($0) }) {
            versions = [Version(number: "1", path: path, state: Self.state(of: path))]
        } else {
            problem = "its folder has no version such as 1/model.onnx, no MLmodel file and no model file"
        }
    }

    /// A folder's name that is a version: a positive whole number.
    private static func isVersion(_ name: String) -> Bool {
        Int(name).map { $0 > 0 && String($0) == name } ?? false
    }

    private static func isModelFile(_ name: String) -> Bool {
        ModelFolder.endings.contains((name as NSString).pathExtension.lowercased()) && !name.hasPrefix("config.")
    }

    /// Files of one model that are looked at to see whether it has changed.
    private static let filesMax = 10_000

    /// What every file at or below `path` is called, how large it is and when it was changed.
    private static func state(of path: String) -> [String] {
        func line(_ name: String, _ file: String) -> String? {
            var facts = stat()
            guard stat(file, &facts) == 0 else { return nil }
            return "\(name) \(facts.st_size) \(facts.st_mtim.tv_sec).\(facts.st_mtim.tv_nsec) \(facts.st_ino)"
        }
        let below = FileManager.default.enumerator(atPath: path)
        var lines = [line("", path)].compactMap { $0 }
        while lines.count < filesMax, let name = below?.nextObject() as? String {
            if let line = line(name, "\(path)/\(name)") { lines.append(line) }
        }
        return lines.sorted()
    }
}
