// swift-tools-version: 6.2
//
// The dependency graph runs one way, top to bottom of this file. `make lint` fails when a target imports upwards.

import PackageDescription

let dependencies = "\(Context.packageDirectory)/.deps/lib"

/// Where the libraries that `make setup` unpacks are found, at link time and at run time.
let unpackedLibraries: LinkerSetting = .unsafeFlags([
    "-L\(dependencies)",
    "-Xlinker", "-rpath=$ORIGIN/../lib",
    "-Xlinker", "-rpath=\(dependencies)",
])

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func native(_ name: String, _ settings: LinkerSetting...) -> Target {
    .target(name: name, path: "Sources/Native/\(name)", linkerSettings: settings)
}

func room(_ name: String, in floor: String, _ dependencies: Target.Dependency...) -> Target {
    .target(
        name: name, dependencies: dependencies, path: floor.isEmpty ? "Sources/\(name)" : "Sources/\(floor)/\(name)",
        swiftSettings: swiftSettings)
}

func tests(
    _ name: String, in floor: String, excluding exclude: [String] = [], _ dependencies: Target.Dependency...
) -> Target {
    .testTarget(
        name: "\(name)Tests", dependencies: [.init(stringLiteral: name)] + dependencies,
        path: floor.isEmpty ? "Tests/\(name)Tests" : "Tests/\(floor)/\(name)Tests", exclude: exclude,
        swiftSettings: swiftSettings)
}

let package = Package(
    name: "Modelworks",
    products: [
        .executable(name: "modelworks", targets: ["modelworks"]),
        // What scores an exported model where there is no server.
        .executable(name: "modelworks-edge", targets: ["modelworks-edge"]),
        // What programs in Swift speak to a factory with.
        .library(name: "ModelworksClient", targets: ["ModelworksClient", "Basics", "HTTP"]),
    ],
    targets: [
        // Native: C libraries as modules. No logic.
        native(
            "CTransport", .linkedLibrary("nghttp2"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
            .linkedLibrary("pthread")),
        native("CSimdJSON", .linkedLibrary("simdjson")),
        .target(
            name: "CInference", path: "Sources/Native/CInference", exclude: ["inference.proto"],
            linkerSettings: [.linkedLibrary("protobuf-c")]),
        .systemLibrary(name: "CMalloc", path: "Sources/Native/CMalloc"),
        .systemLibrary(name: "CZlib", path: "Sources/Native/CZlib", pkgConfig: "zlib"),
        native("CCrypto", .linkedLibrary("crypto")),
        native("CDuckDB", unpackedLibraries),
        .target(
            name: "CArrow", path: "Sources/Native/CArrow",
            // What set-up compiles against the headers of Arrow itself.
            exclude: ["library"]),
        native("CLightGBM", unpackedLibraries),
        native("COnnxRuntime", unpackedLibraries),
        native("CXGBoost", unpackedLibraries),
        .systemLibrary(name: "CSQLite", path: "Sources/Native/CSQLite", pkgConfig: "sqlite3"),
        .systemLibrary(name: "CLMDB", path: "Sources/Native/CLMDB", pkgConfig: "lmdb"),
        native("CAvro", .linkedLibrary("avro")),
        native("CCurl", .linkedLibrary("curl"), .linkedLibrary("expat")),
        native("CRedis", .linkedLibrary("hiredis"), .linkedLibrary("ssl"), .linkedLibrary("crypto")),
        .systemLibrary(name: "CPostgreSQL", path: "Sources/Native/CPostgreSQL", pkgConfig: "libpq"),
        .systemLibrary(name: "CKafka", path: "Sources/Native/CKafka", pkgConfig: "rdkafka"),
        .systemLibrary(name: "CSodium", path: "Sources/Native/CSodium", pkgConfig: "libsodium"),
        .systemLibrary(name: "CArchive", path: "Sources/Native/CArchive", pkgConfig: "libarchive"),
        .systemLibrary(name: "CYAML", path: "Sources/Native/CYAML", pkgConfig: "yaml-0.1"),

        // Foundations: no machine learning in here.
        room("Basics", in: "Foundations", "CCrypto"),
        room("Telemetry", in: "Foundations", "Basics"),
        room("HTTP", in: "Foundations", "Basics", "Telemetry", "CTransport"),
        room("Sealing", in: "Foundations", "Basics", "CSodium"),
        room("SQL", in: "Foundations", "Basics", "Telemetry", "CSQLite", "CPostgreSQL"),
        room("ObjectStorage", in: "Foundations", "Basics", "Telemetry", "Sealing", "CCurl"),
        room("KeyValue", in: "Foundations", "Basics", "Telemetry", "CLMDB", "CRedis"),
        room("Streams", in: "Foundations", "Basics", "Telemetry", "ObjectStorage", "CKafka"),
        room("Columnar", in: "Foundations", "Basics", "CArrow", "CDuckDB"),
        room("Journal", in: "Foundations", "Basics", "Sealing", "SQL", "ObjectStorage"),
        room("Records", in: "Foundations", "Basics", "Telemetry", "SQL", "ObjectStorage", "Streams"),
        room("Jobs", in: "Foundations", "Basics", "Telemetry", "HTTP", "SQL", "Journal"),
        room(
            "Security", in: "Foundations", "Basics", "Telemetry", "HTTP", "Sealing", "SQL", "Journal", "CCrypto"),
        room("Configuration", in: "Foundations", "Basics", "CYAML"),
        room("Archives", in: "Foundations", "Basics", "CArchive"),
        room("Compression", in: "Foundations", "Basics", "CZlib"),
        room("GRPC", in: "Foundations", "Basics", "Telemetry", "HTTP", "Compression", "CTransport"),
        room("Expressions", in: "Foundations", "Basics"),
        room("Documents", in: "Foundations", "Basics", "CSimdJSON"),

        room("Statistics", in: ""),
        room("Aggregations", in: "", "Basics"),
        .target(
            name: "Inference",
            dependencies: ["Basics", "Configuration", "Documents", "CLightGBM", "COnnxRuntime", "CXGBoost"],
            path: "Sources/Inference",
            // What the process of a Python model runs.
            resources: [.embedInCode("Python/pyfunc_worker.py")], swiftSettings: swiftSettings),

        // The six layers, each standing on the ones before it.
        room(
            "Datasets", in: "Layers", "Basics", "Configuration", "SQL", "Journal", "Columnar", "ObjectStorage",
            "Statistics", "CAvro"),
        .target(
            name: "Features",
            dependencies: [
                "Basics", "Telemetry", "Configuration", "Expressions", "SQL", "Journal", "KeyValue", "Streams",
                "Columnar", "ObjectStorage", "Statistics", "Aggregations", "Datasets",
            ], path: "Sources/Layers/Features",
            // What Spark's Python is given to run.
            resources: [.embedInCode("History/spark_history.py")], swiftSettings: swiftSettings),
        room("Experiments", in: "Layers", "Basics", "SQL", "Journal", "ObjectStorage"),
        room(
            "Training", in: "Layers", "Basics", "Configuration", "ObjectStorage", "Statistics", "Inference", "Datasets",
            "Features", "Experiments"),
        room(
            "Registry", in: "Layers", "Basics", "Archives", "Configuration", "Sealing", "SQL", "Journal",
            "ObjectStorage", "Statistics", "Inference", "Experiments"),
        room(
            "Serving", in: "Layers", "Basics", "Configuration", "Telemetry", "Sealing", "SQL", "ObjectStorage",
            "Columnar", "Records", "Journal", "Streams", "Documents", "Aggregations",
            "Inference", "Features", "Registry"),
        // Tables scored offline.
        .target(
            name: "Scoring",
            dependencies: ["Basics", "Columnar", "SQL", "Statistics", "Inference", "Datasets", "Features"],
            path: "Sources/Layers/Scoring",
            // What Spark's Python, and the one that quantises, are given to run.
            resources: [.embedInCode("Spark/score_spark.py"), .embedInCode("Edge/quantize_onnx.py")],
            swiftSettings: swiftSettings),
        room(
            "Monitoring", in: "Layers", "Basics", "Configuration", "SQL", "Journal", "ObjectStorage", "Records",
            "Statistics",
            "Inference", "Features",
            "Registry", "Serving"),
        room(
            "Automation", in: "Layers", "Basics", "Configuration", "Telemetry", "SQL", "Journal", "ObjectStorage",
            "Statistics",
            "Inference", "Features",
            "Training", "Registry", "Serving", "Monitoring"),

        // What was deleted, and what nothing names: under all layers that name objects.
        room("Upkeep", in: "Layers", "Basics", "SQL", "Journal", "ObjectStorage", "Experiments", "Registry"),

        // Wire formats, each translated to a layer's service.
        room(
            "OpenInference", in: "Protocols", "Basics", "Telemetry", "HTTP", "GRPC", "Compression", "Columnar",
            "Security", "CSimdJSON", "CInference", "Inference", "Features", "Registry", "Serving"),
        room(
            "Feast", in: "Protocols", "Basics", "Telemetry", "HTTP", "Security", "CSimdJSON", "Documents", "Datasets",
            "Features"),
        room(
            "MLflow", in: "Protocols", "Basics", "HTTP", "Security", "Sealing", "ObjectStorage", "Documents",
            "Experiments",
            "Registry"),
        room(
            "WorksAPI", in: "Protocols", "Basics", "HTTP", "Sealing", "ObjectStorage", "Journal", "Records", "Jobs",
            "Security",
            "Inference", "Datasets", "Features", "Experiments", "Training", "Registry", "Serving", "Monitoring",
            "Automation", "Upkeep"),

        room(
            "Works", in: "", "Basics", "Telemetry", "HTTP", "Sealing", "SQL", "ObjectStorage", "KeyValue", "Streams",
            "Columnar", "Journal", "Records", "Jobs", "Security", "Configuration", "Datasets", "Features",
            "Experiments", "GRPC",
            "Training", "Registry", "Serving", "Monitoring", "Automation", "Upkeep", "Inference", "OpenInference",
            "Feast", "MLflow", "WorksAPI"),
        room("ModelworksClient", in: "", "Basics", "HTTP"),
        // What other systems have, moved into a factory.
        room(
            "Imports", in: "", "Basics", "HTTP", "SQL", "Configuration", "Documents", "Experiments", "Registry",
            "WorksAPI", "ModelworksClient"),
        .executableTarget(
            name: "modelworks",
            dependencies: [
                "CMalloc", "ModelworksClient", "Imports", "Experiments", "Works", "WorksAPI", "Basics", "Telemetry",
                "HTTP", "Sealing", "SQL",
                "ObjectStorage", "KeyValue",
                "Streams", "Journal", "Jobs", "Security", "Columnar", "Configuration", "Inference", "Datasets",
                "Features", "Training", "Registry", "Serving", "Scoring", "Monitoring", "Automation", "Upkeep",
            ],
            swiftSettings: swiftSettings),

        // The runner of a model on a device: C++ over the native libraries, without Swift's own. It finds its libraries in
        // the folder `lib` beside it, also those that they need in turn, which a DT_RUNPATH would not be asked for.
        .executableTarget(
            name: "modelworks-edge", dependencies: ["CSimdJSON", "COnnxRuntime", "CLightGBM", "CXGBoost", "CSodium"],
            path: "Sources/EdgeRunner",
            linkerSettings: [
                .unsafeFlags([
                    "-nostartfiles", "-static-stdlib", "-Xlinker", "--disable-new-dtags", "-Xlinker",
                    "-rpath=$ORIGIN/lib", "-Xlinker",
                    "--as-needed", "-Xlinker", "--gc-sections",
                ])
            ]),

        // What tests of several rooms need.
        .target(
            name: "TestSupport", dependencies: ["Basics", "Archives"], path: "Tests/TestSupport",
            swiftSettings: swiftSettings),
        // Real databases, brokers and stores for tests, as child processes on loopback.
        .target(
            name: "Engines",
            dependencies: ["Basics", "Telemetry", "SQL", "ObjectStorage", "KeyValue", "Streams", "TestSupport"],
            path: "Tests/Engines", swiftSettings: swiftSettings),
        .executableTarget(
            name: "with-engines", dependencies: ["Engines"], path: "Tests/WithEngines", swiftSettings: swiftSettings),
        .executableTarget(
            name: "kafka-broker", dependencies: ["CKafka"], path: "Tests/KafkaBroker", swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-streams", dependencies: ["Basics", "Telemetry", "Streams", "Inference", "Serving"],
            path: "Benchmarks/streams", swiftSettings: swiftSettings),
        // What is killed while it is at work on a store, and the checks of that store.
        .target(
            name: "Storms",
            dependencies: [
                "Basics", "Telemetry", "SQL", "ObjectStorage", "KeyValue", "Streams", "Journal", "Records", "Jobs",
                "Columnar", "Configuration", "Datasets", "Features",
            ], path: "Tests/Storms", swiftSettings: swiftSettings),
        .executableTarget(
            name: "storm", dependencies: ["Storms", "Basics"], path: "Tests/Storm", swiftSettings: swiftSettings),
        .testTarget(
            name: "StoreKillTests", dependencies: ["Storms", "storm", "Basics", "Engines", "TestSupport"],
            path: "Tests/StoreKillTests", swiftSettings: swiftSettings),
        tests("Expressions", in: "Foundations", "Basics", "Columnar", "TestSupport"),
        tests("Aggregations", in: "", "Basics", "Columnar", "TestSupport"),
        tests(
            "Datasets", in: "Layers", excluding: ["Fixtures"], "Basics", "Configuration", "SQL", "Journal", "Columnar",
            "ObjectStorage",
            "Statistics", "Engines", "TestSupport"),
        tests(
            "Features", in: "Layers", "Basics", "Telemetry", "Configuration", "Expressions", "SQL", "Journal",
            "KeyValue",
            "Streams", "Columnar", "ObjectStorage", "Statistics", "Aggregations", "Datasets", "Engines", "TestSupport"),
        tests(
            "Serving", in: "Layers", excluding: ["Costs/advice_oracle.py"], "Aggregations", "Basics", "Columnar",
            "Configuration", "Documents", "Features",
            "Inference", "ObjectStorage", "Records", "Streams", "Telemetry", "Engines", "TestSupport"),
        tests(
            "Scoring", in: "Layers", "Basics", "Columnar", "SQL", "ObjectStorage", "Inference", "Datasets", "Features",
            "Engines",
            "TestSupport"),
        tests("Automation", in: "Layers", "Basics", "Registry", "Serving", "Statistics", "TestSupport"),
        tests(
            "Registry", in: "Layers", "Basics", "Archives", "Sealing", "SQL", "Journal", "ObjectStorage", "Experiments",
            "Telemetry", "Engines", "TestSupport"),
        // A small factory over rows of its own, trained and serving, for tests of the whole.
        .target(
            name: "Workshop",
            dependencies: [
                "Works", "Basics", "HTTP", "WorksAPI", "Registry", "Serving", "Datasets", "Features", "Columnar",
                "Configuration",
                "Inference", "Journal", "KeyValue", "ObjectStorage", "SQL", "TestSupport",
            ], path: "Tests/Workshop", swiftSettings: swiftSettings),
        tests(
            "Works", in: "", excluding: ["Fixtures"], "Workshop", "Basics", "Columnar", "Configuration", "Datasets",
            "Engines",
            "Features", "HTTP", "Inference",
            "Jobs", "Journal", "ObjectStorage", "Records", "Registry", "Sealing", "SQL", "Security", "Serving",
            "Streams",
            "Telemetry", "WorksAPI", "modelworks", "TestSupport"),
        tests(
            "Feast", in: "Protocols", "Workshop", "Works", "Basics", "HTTP", "Datasets", "Features", "Engines",
            "TestSupport"),
        tests("Experiments", in: "Layers", "Basics", "SQL", "Journal", "ObjectStorage", "Engines", "TestSupport"),
        tests(
            "MLflow", in: "Protocols", "Workshop", "Works", "Basics", "HTTP", "Documents", "Experiments", "Engines",
            "TestSupport"),
        tests(
            "WorksAPI", in: "Protocols", "Workshop", "Works", "Basics", "HTTP", "ModelworksClient", "Engines",
            "TestSupport"),
        tests(
            "Upkeep", in: "Layers", "Basics", "SQL", "Journal", "ObjectStorage", "Experiments", "Registry", "Engines",
            "TestSupport"),
        tests(
            "Imports", in: "", "Workshop", "Works", "WorksAPI", "Basics", "HTTP", "Experiments", "Registry", "SQL",
            "ModelworksClient", "TestSupport"),
        tests("ModelworksClient", in: "", "Workshop", "Works", "Basics", "HTTP", "TestSupport"),
        tests(
            "OpenInference", in: "Protocols", "Workshop", "Basics", "HTTP", "GRPC", "Telemetry", "Compression",
            "CSimdJSON",
            "Columnar", "Inference", "Records", "Serving", "TestSupport"),
        tests("Basics", in: "Foundations"),
        tests("Telemetry", in: "Foundations", "Basics"),
        tests("HTTP", in: "Foundations", "Basics", "Telemetry", "TestSupport"),
        // What reads compressed header fields in tests.
        .systemLibrary(name: "CNghttp2", path: "Tests/Native/CNghttp2", pkgConfig: "libnghttp2"),
        tests("GRPC", in: "Foundations", "Basics", "Telemetry", "HTTP", "TestSupport", "CNghttp2"),
        tests("Archives", in: "Foundations", "Basics", "TestSupport"),
        tests("Compression", in: "Foundations", "Basics"),
        tests("Sealing", in: "Foundations", "Basics", "TestSupport"),
        tests("SQL", in: "Foundations", "Basics", "Telemetry", "Engines", "TestSupport"),
        tests("ObjectStorage", in: "Foundations", "Basics", "Telemetry", "Sealing", "Engines", "TestSupport"),
        tests("KeyValue", in: "Foundations", "Basics", "Telemetry", "Engines", "TestSupport"),
        tests("Streams", in: "Foundations", "Basics", "Telemetry", "ObjectStorage", "Engines", "TestSupport"),
        tests(
            "Records", in: "Foundations", "Basics", "Telemetry", "SQL", "ObjectStorage", "Streams", "Engines",
            "TestSupport"),
        tests("Jobs", in: "Foundations", "Basics", "Telemetry", "HTTP", "SQL", "Journal", "Engines", "TestSupport"),
        tests(
            "Security", in: "Foundations", "Basics", "Telemetry", "HTTP", "SQL", "Journal", "Engines", "TestSupport"),
        tests("Columnar", in: "Foundations", "Basics", "TestSupport"),
        tests(
            "Journal", in: "Foundations", "Basics", "Sealing", "SQL", "ObjectStorage", "Engines", "TestSupport"),
        tests("Configuration", in: "Foundations", "Basics", "TestSupport"),
        tests("Statistics", in: ""),
        // Takes damaged model files, one after the other, until one ends it.
        .executableTarget(
            name: "fuzz-models", dependencies: ["Inference", "Basics", "TestSupport"], path: "Tests/ModelFuzz",
            swiftSettings: swiftSettings),
        tests("Inference", in: "", excluding: ["Fixtures"], "Basics", "Engines", "TestSupport", "fuzz-models"),
        tests("modelworks", in: "", "Basics", "TestSupport"),
        tests("CSimdJSON", in: "Native"),
        // What libFuzzer drives; built by scripts/fuzz-wire with its instrumentation, and else a way to repeat what it found.
        .executableTarget(
            name: "fuzz-inference", dependencies: ["OpenInference", "Inference", "Serving", "Basics"],
            path: "Tests/LibFuzzer", exclude: ["make_seeds.py"], swiftSettings: swiftSettings),
        // Measurements beside the engines' own floor, one command each.
        .executableTarget(
            name: "bench-keyvalue", dependencies: ["KeyValue", "Basics", "CLMDB", "Engines", "TestSupport"],
            path: "Benchmarks/keyvalue", swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-calls", dependencies: ["GRPC", "HTTP", "Basics", "Telemetry"], path: "Benchmarks/calls",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-stores",
            dependencies: [
                "Basics", "Sealing", "SQL", "ObjectStorage", "Journal", "Engines", "TestSupport",
            ], path: "Benchmarks/stores", swiftSettings: swiftSettings),
        .executableTarget(
            name: "bench-features",
            dependencies: [
                "Basics", "SQL", "ObjectStorage", "KeyValue", "Journal", "Columnar", "Configuration", "Datasets",
                "Features", "CLMDB", "Streams", "Telemetry",
                "Engines", "TestSupport",
            ], path: "Benchmarks/features", exclude: ["feast_peer.py", "feast_history.py"], swiftSettings: swiftSettings
        ),
        .executableTarget(
            name: "bench-tracking", dependencies: ["Basics", "Documents", "Engines", "TestSupport"],
            path: "Benchmarks/tracking", exclude: ["mlflow_fill.py"], swiftSettings: swiftSettings),
        // Kills and starves the real server process; needs the release binary.
        .testTarget(
            name: "FaultsTests",
            dependencies: ["Basics", "HTTP", "SQL", "Columnar", "Streams", "Inference", "Engines", "TestSupport"],
            path: "Tests/FaultsTests",
            swiftSettings: swiftSettings),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
