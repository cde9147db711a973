import Basics
import Foundation
import WorksAPI

/// Reads a factory directory's texts from disk.
enum FactoryDirectoryReader {
    private static let filesMax = 2000
    private static let bytesMax = 4 << 20

    /// - Throws: ``CommandFailure`` where the directory, its `works.yaml`, or a file in it can not be read.
    static func read(_ directory: String) throws -> FactoryFiles {
        let manager = FileManager.default
        var isDirectory: ObjCBool = false
        guard manager.fileExists(atPath: directory, isDirectory: &isDirectory), isDirectory.boolValue else {
            throw CommandFailure(
                .notFound, "there is no directory \(directory)", remedy: "Run 'modelworks init \(directory)'.")
        }
        guard manager.fileExists(atPath: "\(directory)/works.yaml") else {
            throw CommandFailure(
                .notFound, "\(directory) has no works.yaml, so it is no factory directory",
                remedy: "Name a factory directory, or make one with 'modelworks init DIRECTORY'.")
        }
        var files: [String: String] = [:]
        for path in try manager.subpathsOfDirectory(atPath: directory).sorted() {
            guard path.hasSuffix(".yaml") || path.hasSuffix(".sql") else { continue }
            guard !path.split(separator: "/").contains(where: { $0.hasPrefix(".") }) else { continue }
            guard files.count < filesMax else {
                throw CommandFailure(.resourceExhausted, "\(directory) has over \(filesMax) definition files")
            }
            guard let bytes = manager.contents(atPath: "\(directory)/\(path)"), bytes.count <= bytesMax else {
                throw CommandFailure(.invalidArgument, "\(path) can not be read, or has over \(bytesMax >> 20) MiB")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw CommandFailure(.invalidArgument, "\(path) is not UTF-8", remedy: "Save it as UTF-8.")
            }
            files[path] = text
        }
        return FactoryFiles(root: directory, files: files)
    }
}
