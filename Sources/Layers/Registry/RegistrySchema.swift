import SQL

extension ModelRegistry {
    /// The tables of the registry. What is deleted keeps its row, so that no number is used again.
    public static let migrations = [
        Migration(
            room: "registry", version: 1,
            sql: """
                CREATE TABLE models (name TEXT PRIMARY KEY, created INTEGER NOT NULL, last_version INTEGER NOT NULL);
                CREATE TABLE model_versions (
                  model TEXT NOT NULL REFERENCES models (name), version INTEGER NOT NULL, stage TEXT NOT NULL,
                  bundle TEXT NOT NULL, run TEXT, materials TEXT, metrics TEXT NOT NULL, description TEXT NOT NULL,
                  created INTEGER NOT NULL, staged INTEGER NOT NULL, PRIMARY KEY (model, version));
                CREATE UNIQUE INDEX one_production ON model_versions (model) WHERE stage = 'Production';
                """),
        Migration(
            room: "registry", version: 2,
            sql: """
                ALTER TABLE models ADD COLUMN description TEXT NOT NULL DEFAULT '';
                ALTER TABLE models ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE models ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
                UPDATE models SET updated = created;
                ALTER TABLE model_versions ADD COLUMN source TEXT;
                ALTER TABLE model_versions ADD COLUMN location TEXT;
                ALTER TABLE model_versions ADD COLUMN run_link TEXT NOT NULL DEFAULT '';
                ALTER TABLE model_versions ADD COLUMN logged_model TEXT;
                ALTER TABLE model_versions ADD COLUMN updated INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE model_versions ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
                UPDATE model_versions SET updated = staged;
                CREATE TABLE model_tags (
                  model TEXT NOT NULL REFERENCES models (name), key TEXT NOT NULL, value TEXT NOT NULL,
                  PRIMARY KEY (model, key));
                CREATE TABLE model_version_tags (
                  model TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                  PRIMARY KEY (model, version, key));
                CREATE TABLE model_aliases (
                  model TEXT NOT NULL REFERENCES models (name), alias TEXT NOT NULL, version INTEGER NOT NULL,
                  PRIMARY KEY (model, alias));
                CREATE INDEX model_versions_by_run ON model_versions (run);
                """),
        Migration(
            room: "registry", version: 3,
            sql: """
                ALTER TABLE models ADD COLUMN last_note INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE model_versions ADD COLUMN retired INTEGER;
                CREATE TABLE model_requests (
                  model TEXT NOT NULL REFERENCES models (name), number INTEGER NOT NULL, version INTEGER NOT NULL,
                  stage TEXT NOT NULL, replacing INTEGER NOT NULL, digest TEXT NOT NULL, requester TEXT NOT NULL,
                  reason TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, state TEXT NOT NULL,
                  closed INTEGER, closed_by TEXT, close_reason TEXT, PRIMARY KEY (model, number));
                CREATE INDEX model_requests_by_version ON model_requests (model, version);
                CREATE TABLE model_approvals (
                  model TEXT NOT NULL, number INTEGER NOT NULL, principal TEXT NOT NULL, comment TEXT NOT NULL,
                  time INTEGER NOT NULL, PRIMARY KEY (model, number, principal));
                CREATE TABLE model_comments (
                  model TEXT NOT NULL REFERENCES models (name), number INTEGER NOT NULL, version INTEGER NOT NULL,
                  principal TEXT NOT NULL, text TEXT NOT NULL, created INTEGER NOT NULL, PRIMARY KEY (model, number));
                """),
        WebhookStore.migration, WebhookStore.dueMigration,
        // Requests of before a move ended them.
        Migration(
            room: "registry", version: 6,
            sql: """
                UPDATE model_requests SET state = 'superseded', closed_by = 'system:registry',
                  close_reason = 'the version was moved since',
                  closed = (SELECT v.staged FROM model_versions AS v
                    WHERE v.model = model_requests.model AND v.version = model_requests.version)
                WHERE state = 'open' AND EXISTS (SELECT 1 FROM model_versions AS v
                  WHERE v.model = model_requests.model AND v.version = model_requests.version
                    AND v.staged > model_requests.created);
                """),
    ]
}
