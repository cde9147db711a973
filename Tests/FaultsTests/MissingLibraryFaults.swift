import Foundation
import TestSupport
import Testing

/// A library that is opened at its first use can be missing or another one: the process says so and lives.
@Suite struct MissingLibraryFaults {
    enum Impostor: CaseIterable {
        case text, otherLibrary

        /// What the loader says of it.
        var reason: String {
            switch self {
            case .text: "libduckdb.so: file too short"
            case .otherLibrary: "libduckdb.so: undefined symbol: duckdb_library_version"
            }
        }

        func place(in folder: TemporaryFolder) throws {
            switch self {
            case .text: try folder.write("no library", to: "libduckdb.so")
            case .otherLibrary:
                let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
                try FileManager.default.copyItem(
                    atPath: "/\(package)/.deps/lib/lib_lightgbm.so", toPath: folder("libduckdb.so"))
            }
        }
    }

    @Test(
        "doctor names a runtime that can not be used", .timeLimit(.minutes(2)), arguments: ["onnxruntime", "xgboost"])
    func doctorNamesRuntime(library: String) async throws {
        try await onThread("missing-library") {
            let folder = try TemporaryFolder()
            try folder.write("no library", to: "lib\(library).so")
            let doctor = try ChildProcess(
                "/usr/bin/env",
                ["LD_LIBRARY_PATH=\(folder.path)", Modelworks.binary, "doctor", "--root", folder("root")],
                output: folder("out"), errors: folder("errors"))
            #expect(try doctor.wait() == 1)
            let line = Modelworks.text(folder("out")).split(separator: "\n").first { $0.contains("lib\(library).so") }
            #expect(line?.hasPrefix("BAD  models of ") == true && line?.contains("file too short") == true)
            #expect(line?.contains("Install the program with its lib folder") == true)
        }
    }

    @Test("doctor names a DuckDB that can not be used", .timeLimit(.minutes(2)), arguments: Impostor.allCases)
    func doctorNamesLibrary(impostor: Impostor) async throws {
        try await onThread("missing-library") {
            let folder = try TemporaryFolder()
            try impostor.place(in: folder)
            // The loader looks there before it looks where the binary tells it to.
            let doctor = try ChildProcess(
                "/usr/bin/env",
                ["LD_LIBRARY_PATH=\(folder.path)", Modelworks.binary, "doctor", "--root", folder("root")],
                output: folder("out"), errors: folder("errors"))
            #expect(try doctor.wait() == 1)
            let text = Modelworks.text(folder("out")) + Modelworks.text(folder("errors"))
            #expect(text.contains("the DuckDB library can not be used: "))
            #expect(text.contains(impostor.reason))
            #expect(text.contains("Run make setup"))
            #expect(text.contains("ok   disk"))
        }
    }
}
