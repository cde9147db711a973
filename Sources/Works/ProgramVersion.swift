import Foundation

/// The version of the program and of the libraries it was built for.
public enum ProgramVersion {
    public static let current = "0.1.0"

    /// Kept with each run and bundle.
    public static var environment: [String: String] {
        ["modelworks": current, "lightgbm": "4.7.0", "duckdb": "1.5.6", "platform": "linux-\(architecture)"]
    }

    /// The machine, as far as it may decide how a training comes out. What can not be found out is left out.
    public static var host: [String: String] {
        var host = ["cores": "\(ProcessInfo.processInfo.activeProcessorCount)"]
        func value(_ file: String, _ key: String, _ separator: Character) -> String? {
            guard let data = FileManager.default.contents(atPath: file) else { return nil }
            for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
                let parts = line.split(separator: separator, maxSplits: 1)
                guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == key else { continue }
                return parts[1].trimmingCharacters(in: .init(charactersIn: " \t\""))
            }
            return nil
        }
        host["os"] = value("/etc/os-release", "PRETTY_NAME", "=")
        host["cpu"] = value("/proc/cpuinfo", "model name", ":")
        return host
    }

    private static var architecture: String {
        #if arch(x86_64)
            "x86_64"
        #elseif arch(arm64)
            "aarch64"
        #else
            "unknown"
        #endif
    }
}
