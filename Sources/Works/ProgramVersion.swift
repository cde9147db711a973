/// The version of the program and of the libraries it was built for.
public enum ProgramVersion {
    public static let current = "0.1.0"

    /// Kept with each run and bundle.
    public static var environment: [String: String] {
        ["modelworks": current, "lightgbm": "4.7.0", "duckdb": "1.5.6", "platform": "linux-\(architecture)"]
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
