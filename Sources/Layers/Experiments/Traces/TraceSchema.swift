import SQL

extension ExperimentStore {
    /// The tables of traces. Times are microseconds; a span is found by its trace, and is one JSON document.
    static let traceMigrations = [
        Migration(
            room: "traces", version: 1,
            sql: """
                CREATE TABLE traces (
                  id TEXT PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments (id),
                  started INTEGER NOT NULL, duration INTEGER, state TEXT NOT NULL, client_request TEXT,
                  request_preview TEXT, response_preview TEXT);
                CREATE INDEX traces_by_start ON traces (experiment, started DESC, id);
                CREATE TABLE trace_tags (
                  trace TEXT NOT NULL REFERENCES traces (id), key TEXT NOT NULL, value TEXT NOT NULL,
                  PRIMARY KEY (trace, key));
                CREATE INDEX trace_tags_by_value ON trace_tags (key, substr(value, 1, 64), trace);
                CREATE TABLE trace_metadata (
                  trace TEXT NOT NULL REFERENCES traces (id), key TEXT NOT NULL, value TEXT NOT NULL,
                  PRIMARY KEY (trace, key));
                CREATE INDEX trace_metadata_by_value ON trace_metadata (key, substr(value, 1, 64), trace);
                CREATE TABLE trace_spans (
                  trace TEXT NOT NULL REFERENCES traces (id), id TEXT NOT NULL, started INTEGER NOT NULL,
                  content TEXT NOT NULL, PRIMARY KEY (trace, id));
                """)
    ]
}
