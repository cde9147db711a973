import SQL

extension ExperimentStore {
    /// The tables of experiments. `run_metrics` has the latest value of each metric; all of them are in `metric_blocks`, packed,
    /// and in `metric_points` until there are enough of a metric to pack (`run_metrics.loose` counts them, and may count a
    /// point that came twice as two). `run_metrics` and `run_parameters` repeat the experiment, so that a search walks only
    /// the keys of its own.
    public static let migrations =
        [
            Migration(
                room: "experiments", version: 1,
                sql: """
                    CREATE TABLE runs (
                      id TEXT PRIMARY KEY, experiment TEXT NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL,
                      started INTEGER NOT NULL, ended INTEGER);
                    CREATE INDEX runs_by_experiment ON runs (experiment, started);
                    CREATE TABLE run_parameters (
                      run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
                    CREATE TABLE run_tags (
                      run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, key));
                    CREATE TABLE run_metrics (
                      run TEXT NOT NULL REFERENCES runs (id), key TEXT NOT NULL, step INTEGER NOT NULL, value REAL NOT NULL,
                      time INTEGER NOT NULL, PRIMARY KEY (run, key, step, time));
                    CREATE TABLE run_artifacts (
                      run TEXT NOT NULL REFERENCES runs (id), path TEXT NOT NULL, digest TEXT NOT NULL, bytes INTEGER NOT NULL,
                      PRIMARY KEY (run, path));
                    """),
            Migration(room: "experiments", version: 2, sql: "ALTER TABLE runs ADD COLUMN process TEXT"),
            Migration(
                room: "experiments", version: 3,
                sql: """
                    DROP INDEX runs_by_experiment;
                    ALTER TABLE runs RENAME TO old_runs;
                    ALTER TABLE run_parameters RENAME TO old_run_parameters;
                    ALTER TABLE run_tags RENAME TO old_run_tags;
                    ALTER TABLE run_metrics RENAME TO old_run_metrics;
                    ALTER TABLE run_artifacts RENAME TO old_run_artifacts;

                    CREATE TABLE experiments (
                      id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, location TEXT NOT NULL, stage TEXT NOT NULL,
                      created INTEGER NOT NULL, updated INTEGER NOT NULL);
                    CREATE TABLE experiment_tags (
                      experiment INTEGER NOT NULL REFERENCES experiments (id), key TEXT NOT NULL, value TEXT NOT NULL,
                      PRIMARY KEY (experiment, key));
                    CREATE TABLE runs (
                      number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
                      experiment INTEGER NOT NULL REFERENCES experiments (id), name TEXT NOT NULL, user_name TEXT NOT NULL,
                      status TEXT NOT NULL, stage TEXT NOT NULL, location TEXT NOT NULL, started INTEGER NOT NULL,
                      ended INTEGER, process TEXT);
                    CREATE INDEX runs_by_start ON runs (experiment, stage, started DESC, id);
                    CREATE INDEX runs_by_status ON runs (status, process);
                    CREATE TABLE run_parameters (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value TEXT NOT NULL,
                      experiment INTEGER NOT NULL, PRIMARY KEY (run, key));
                    CREATE INDEX run_parameters_by_value ON run_parameters (experiment, key, substr(value, 1, 64), run);
                    CREATE TABLE run_tags (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value TEXT NOT NULL,
                      experiment INTEGER NOT NULL, PRIMARY KEY (run, key));
                    CREATE INDEX run_tags_by_value ON run_tags (experiment, key, substr(value, 1, 64), run);
                    CREATE TABLE run_metrics (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value REAL NOT NULL,
                      is_nan INTEGER NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL, experiment INTEGER NOT NULL,
                      PRIMARY KEY (run, key));
                    CREATE INDEX run_metrics_by_value ON run_metrics (experiment, key, is_nan, value, run);
                    CREATE TABLE metric_points (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, time INTEGER NOT NULL,
                      step INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL,
                      PRIMARY KEY (run, key, time, step, value, is_nan));
                    CREATE TABLE datasets (
                      id INTEGER PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments (id), name TEXT NOT NULL,
                      digest TEXT NOT NULL, source_type TEXT NOT NULL, source TEXT NOT NULL, schema_text TEXT, profile TEXT,
                      UNIQUE (experiment, name, digest));
                    CREATE TABLE run_datasets (
                      run INTEGER NOT NULL REFERENCES runs (number), dataset INTEGER NOT NULL REFERENCES datasets (id),
                      PRIMARY KEY (run, dataset));
                    CREATE TABLE run_dataset_tags (
                      run INTEGER NOT NULL REFERENCES runs (number), dataset INTEGER NOT NULL REFERENCES datasets (id),
                      key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (run, dataset, key));
                    CREATE TABLE run_models (
                      run INTEGER NOT NULL REFERENCES runs (number), direction TEXT NOT NULL, model TEXT NOT NULL,
                      step INTEGER NOT NULL, PRIMARY KEY (run, direction, model));
                    CREATE TABLE artifacts (path TEXT PRIMARY KEY, digest TEXT NOT NULL, bytes INTEGER NOT NULL);

                    INSERT INTO experiments (id, name, location, stage, created, updated)
                      VALUES (0, 'Default', 'mlflow-artifacts:/0', 'active', 0, 0);
                    INSERT INTO experiments (id, name, location, stage, created, updated)
                      SELECT n, experiment, 'mlflow-artifacts:/' || CAST(n AS TEXT), 'active', first, last
                      FROM (SELECT row_number() OVER (ORDER BY min(started), experiment) AS n, experiment,
                        min(started) AS first, max(started) AS last FROM old_runs WHERE experiment <> 'Default'
                        GROUP BY experiment) AS e;
                    INSERT INTO runs (number, id, experiment, name, user_name, status, stage, location, started, ended,
                        process)
                      SELECT row_number() OVER (ORDER BY r.started, r.id), r.id, e.id, r.name, '', r.status, 'active',
                        e.location || '/' || r.id || '/artifacts', r.started, r.ended, coalesce(r.process, '')
                      FROM old_runs AS r JOIN experiments AS e ON e.name = r.experiment;
                    INSERT INTO run_parameters (run, key, value, experiment)
                      SELECT r.number, p.key, p.value, r.experiment
                      FROM old_run_parameters AS p JOIN runs AS r ON r.id = p.run;
                    INSERT INTO run_tags (run, key, value, experiment)
                      SELECT r.number, t.key, t.value, r.experiment FROM old_run_tags AS t JOIN runs AS r ON r.id = t.run;
                    INSERT INTO metric_points (run, key, time, step, value, is_nan)
                      SELECT r.number, m.key, m.time, m.step, m.value, 0
                      FROM old_run_metrics AS m JOIN runs AS r ON r.id = m.run;
                    INSERT INTO run_metrics (run, key, value, is_nan, step, time, experiment)
                      SELECT run, key, value, 0, step, time, experiment
                      FROM (SELECT p.run, p.key, p.value, p.step, p.time, r.experiment, row_number() OVER (
                          PARTITION BY p.run, p.key ORDER BY p.step DESC, p.time DESC, p.value DESC) AS n
                        FROM metric_points AS p JOIN runs AS r ON r.number = p.run) AS latest
                      WHERE n = 1;
                    INSERT INTO artifacts (path, digest, bytes)
                      SELECT CAST(r.experiment AS TEXT) || '/' || r.id || '/artifacts/' || a.path, a.digest, a.bytes
                      FROM old_run_artifacts AS a JOIN runs AS r ON r.id = a.run;
                    DROP TABLE old_run_artifacts;
                    DROP TABLE old_run_metrics;
                    DROP TABLE old_run_tags;
                    DROP TABLE old_run_parameters;
                    DROP TABLE old_runs;
                    """),
            Migration(
                room: "experiments", version: 4,
                sql: """
                    CREATE TABLE logged_models (
                      id TEXT PRIMARY KEY, experiment INTEGER NOT NULL REFERENCES experiments (id), name TEXT NOT NULL,
                      location TEXT NOT NULL, status TEXT NOT NULL, model_type TEXT NOT NULL, source_run TEXT NOT NULL,
                      created INTEGER NOT NULL, updated INTEGER NOT NULL, stage TEXT NOT NULL);
                    CREATE INDEX logged_models_by_creation ON logged_models (experiment, stage, created DESC, id);
                    CREATE TABLE logged_model_parameters (
                      model TEXT NOT NULL REFERENCES logged_models (id), key TEXT NOT NULL, value TEXT NOT NULL,
                      PRIMARY KEY (model, key));
                    CREATE TABLE logged_model_tags (
                      model TEXT NOT NULL REFERENCES logged_models (id), key TEXT NOT NULL, value TEXT NOT NULL,
                      PRIMARY KEY (model, key));
                    CREATE TABLE logged_model_metrics (
                      model TEXT NOT NULL REFERENCES logged_models (id), key TEXT NOT NULL, time INTEGER NOT NULL,
                      step INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL, run TEXT NOT NULL,
                      dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL,
                      PRIMARY KEY (model, key, time, step, run));
                    """),
            Migration(
                room: "experiments", version: 5,
                sql: """
                    CREATE TABLE metric_blocks (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, number INTEGER NOT NULL,
                      points INTEGER NOT NULL, least_step INTEGER NOT NULL, greatest_step INTEGER NOT NULL,
                      first_time INTEGER NOT NULL, first_step INTEGER NOT NULL, first_value REAL,
                      last_time INTEGER NOT NULL, last_step INTEGER NOT NULL, last_value REAL,
                      low_time INTEGER, low_step INTEGER, low_value REAL,
                      high_time INTEGER, high_step INTEGER, high_value REAL,
                      data BLOB NOT NULL, PRIMARY KEY (run, key, number));

                    DROP INDEX run_parameters_by_value;
                    DROP INDEX run_tags_by_value;
                    DROP INDEX run_metrics_by_value;
                    ALTER TABLE run_parameters RENAME TO old_run_parameters;
                    ALTER TABLE run_tags RENAME TO old_run_tags;
                    ALTER TABLE run_metrics RENAME TO old_run_metrics;
                    ALTER TABLE metric_points RENAME TO old_metric_points;

                    CREATE TABLE run_parameters (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value TEXT NOT NULL,
                      experiment INTEGER NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
                    CREATE TABLE run_tags (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value TEXT NOT NULL,
                      experiment INTEGER NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
                    CREATE TABLE run_metrics (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, value REAL NOT NULL,
                      is_nan INTEGER NOT NULL, step INTEGER NOT NULL, time INTEGER NOT NULL, experiment INTEGER NOT NULL,
                      loose INTEGER NOT NULL, PRIMARY KEY (run, key)) WITHOUT ROWID;
                    CREATE TABLE metric_points (
                      run INTEGER NOT NULL REFERENCES runs (number), key TEXT NOT NULL, time INTEGER NOT NULL,
                      step INTEGER NOT NULL, value REAL NOT NULL, is_nan INTEGER NOT NULL,
                      PRIMARY KEY (run, key, time, step, value, is_nan)) WITHOUT ROWID;
                    INSERT INTO run_parameters (run, key, value, experiment)
                      SELECT run, key, value, experiment FROM old_run_parameters;
                    INSERT INTO run_tags (run, key, value, experiment) SELECT run, key, value, experiment FROM old_run_tags;
                    INSERT INTO metric_points (run, key, time, step, value, is_nan)
                      SELECT run, key, time, step, value, is_nan FROM old_metric_points;
                    INSERT INTO run_metrics (run, key, value, is_nan, step, time, experiment, loose)
                      SELECT run, key, value, is_nan, step, time, experiment,
                        (SELECT count(*) FROM metric_points AS p WHERE p.run = m.run AND p.key = m.key)
                      FROM old_run_metrics AS m;
                    DROP TABLE old_run_parameters;
                    DROP TABLE old_run_tags;
                    DROP TABLE old_run_metrics;
                    DROP TABLE old_metric_points;
                    CREATE INDEX run_parameters_by_value ON run_parameters (experiment, key, substr(value, 1, 64), run);
                    CREATE INDEX run_tags_by_value ON run_tags (experiment, key, substr(value, 1, 64), run);
                    CREATE INDEX run_metrics_by_value ON run_metrics (experiment, key, is_nan, value, run);
                    CREATE INDEX run_metrics_to_pack ON run_metrics (run) WHERE loose >= 1024;
                    """),
        ] + traceMigrations + pinMigrations
}
