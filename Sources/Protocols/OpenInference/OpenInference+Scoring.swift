import Columnar
import HTTP

extension OpenInference {
    /// Puts the routes of MLflow's scoring server, of KServe's version 1 and of TensorFlow Serving on a router.
    ///
    /// - Parameters:
    ///   - tables: reads the bodies that are CSV or Parquet.
    ///   - standalone: whether the server is one of models alone, whose `/ping`, `/health` and `/version` are MLflow's.
    public func installScoring(on router: Router, tables: ColumnarEngine, standalone: Bool) {
        let scorer = Scorer(directory: directory, workers: infer.workers)
        InvocationRoutes(scorer: scorer, tables: tables, version: version).install(on: router, standalone: standalone)
        PredictRoutes(scorer: scorer).install(on: router)
    }
}
