import Basics
import Foundation
import ObjectStorage

/// Objects of up to 100 kB, from memory and from files.
struct ObjectStorm: StormStore {
    private let store: any ObjectStore
    private let folder: String
    /// Where a store of files has what it is just writing.
    private let unfinished: String?
    private static let most = 100_000

    init(_ url: StoreURL, folder: String) async throws {
        self.folder = folder
        unfinished = url.scheme == "file" ? "\(url.path)/tmp" : nil
        store = try await ObjectStores.open(url, cache: "\(folder)/cache")
    }

    func put(_ item: StormItem) async throws {
        let bytes = item.bytes(most: Self.most)
        guard item.number % 3 == 0 else {
            _ = try await store.put(bytes)
            return
        }
        let file = "\(folder)/source-\(item)"
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        defer { unlink(file) }
        _ = try await store.put(file: file)
    }

    func survey() async throws -> StormSurvey {
        var survey = StormSurvey()
        for digest in try await store.list() {
            do {
                survey.add(try await store.get(digest), most: Self.most)
            } catch let failure as StorageFailure where failure.code == .dataLoss {
                survey.faults.append(failure.message)
            }
        }
        // Opening has swept away what the killed process was at.
        if let unfinished, let left = try? FileManager.default.contentsOfDirectory(atPath: unfinished), !left.isEmpty {
            survey.faults.append("\(left.count) unfinished files were left behind")
        }
        return survey
    }

    func close() async { await store.close() }
}
