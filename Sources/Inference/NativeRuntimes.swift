import Basics
import COnnxRuntime
import CXGBoost

/// The libraries that run models, as `doctor` looks at them.
public enum NativeRuntimes {
    /// Opens each library.
    ///
    /// - Returns: name and release of each, or why it can not be used and what to do.
    public static var all: [(name: String, release: Result<String, InferenceError>)] {
        [
            (
                "ONNX Runtime",
                release("ONNX Runtime", missing: mw_ort_load(), of: { String(cString: mw_ort_release()) })
            ),
            ("XGBoost", release("XGBoost", missing: mw_xgb_load(), of: xgBoostRelease)),
            // Linked: without it no process of this program starts. It does not tell its release.
            ("LightGBM", .success("linked")),
        ]
    }

    private static func release(
        _ name: String, missing: UnsafePointer<CChar>?, of release: () -> String
    ) -> Result<String, InferenceError> {
        if let missing { return .failure(.library(name, String(cString: missing))) }
        return .success(release())
    }

    private static func xgBoostRelease() -> String {
        var (major, minor, patch) = (Int32(0), Int32(0), Int32(0))
        XGBoostVersion(&major, &minor, &patch)
        return "\(major).\(minor).\(patch)"
    }
}
