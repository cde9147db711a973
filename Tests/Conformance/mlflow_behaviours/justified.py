"""The differences that are meant: rows of the guide's table, each with the names of the cases that show it."""

JUSTIFIED = {
    "a batch is kept whole or not at all": ["batches: with a param and a metric of an unknown model"],
    "a value of the wrong kind, such as a status that does not exist: 400": [
        "wire: a fraction for a whole number", "experiment search: an unknown stage", "runs: update: an unknown status",
        "metrics: the value True", "metrics: the value 'nan'", "metrics: the value '1_000'", "metrics: the value ' 5'",
        "metrics: the time 1.5", "metrics: the time True", "metrics: the time 9223372036854775808", "metrics: the step 1.5",
        "metrics: the step 9223372036854775808", "batches: with a bad value", "batches: with a bad step",
        "search: an unknown view",
        "histories: max_results that is text", "logged models: finish with an unknown status",
        "logged model search: a param without quotes",
    ],
    "a field that is missing within a message: 400": [
        "datasets: a tag without a key", "datasets: no name", "datasets: no dataset", "datasets: a model without an id",
    ],
    "what a caller got wrong is always a 400 with a code": [
        "experiments: get: an id beyond 64 bits", "experiment search: order: a key twice", "metrics: the value [1]",
        "metrics: the value {'a': 1}", "batches: with a metric that is no message", "search: order: a key twice",
        "logged model search: refused: colour = 'x'", "logged model search: refused: metrics.auc = 'x'",
        "logged model search: a bad token", "stages: archiving others needs an active stage",
        "model search: order: a key twice",
        "artifact store: get: a folder", "artifact store: a file where a folder is",
        "artifact store: a folder where a file is",
    ],
    "what is taken, missing or twice is told by its code": [
        "experiments: rename to a name of another", "runs: create without an experiment",
        "logged models: log another value of a param", "logged models: log a metric to an unknown model",
    ],
    "the same output, or parameter of a logged model, again: 200": [
        "datasets: a model as output of two steps", "logged models: log the same param",
    ],
    "a tag twice in one message: the last counts, everywhere": ["experiments: create with a tag twice",
        "runs: create with a tag twice"],
    "names and lengths of parameters and tags are checked everywhere": [
        "runs: create with a bad tag", "runs: create with a name of 8,001 characters",
            "logged models: create with a bad param",
        "logged models: create with a bad tag",
    ],
    "a blank name or one with `..` in its location is refused": [
        "experiments: a blank name", "experiments: rename to a blank name", "experiments: a location with ..",
        "experiments: a location with a query",
    ],
    "a page of no or fewer results: 400": [
        "logged model search: max_results below 0", "model search: max_results 0", "model search: max_results below 0",
    ],
    "a filter: at most 64 KiB and 200 clauses": ["search: 300 clauses", "search: a filter of 100 KB"],
    "AND, keys and values of a filter only where they belong": [
        "search: accepted: metrics.loss > 0.5 AND", "search: accepted: AND metrics.loss > 0.5",
            "search: accepted: metrics. > 0.5",
        "search: accepted: params.lr = 'a' params.kind = 'b'",
    ],
    "every search knows all prefixes, fractions, blanks and comparisons": [
        "experiment search: refused: attributes.name", "experiment search: refused: a fraction of a time",
        "search: a filter of blanks", "search: order refused: run name by its other name",
        "search: order refused: many blanks",
        "model search: refused: last_updated_timestamp > 0", "version search: refused: attributes.name = 'alpha <g>'",
        "version search: refused: version_number > 1.5", "version search: refused: tags.t IS NULL",
        "version search: order refused: run",
    ],
    "a quote written twice within quotes is one": ["experiment search: a quote that is doubled"],
    "a logged model's status can be searched for": ["logged model search: status = 'PENDING'"],
    "metrics of a dataset whose digest is not given: of any digest": ["logged model search: of a dataset's name"],
    "versions tell their aliases and logged model in every answer": [
        "aliases: several of a version", "aliases: the name 'v'", "aliases: the name 'v1a'", "aliases: the name '1'",
        "aliases: the name 'a-b_c'", "aliases: the name of 255 characters", "aliases: stays when its model is renamed",
        "aliases: a search of versions", "model versions: create by models:/ of a logged one",
        "model versions: where a logged one is", "model versions: tells the logged one of its versions",
    ],
    "every call under both prefixes": ["histories: bulk: only for web pages"],
    "a path that steps up, has a backslash or a NUL is refused before it is looked at": [
        f"artifact store: {what} {path}"
        for path in ["%2e%2e/x", "a/%2e%2e/x", "a%5c..%5cx", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..%00/x"]
        for what in ["put to", "get of", "delete of"]
    ] + ["artifact store: delete of %2Fetc/passwd", "artifact store: list of a\\..\\x", "artifacts of runs: list a\\..\\x"],
    "`/health` answers JSON": ["wire: health is plain text"],
    "times within 292,000 years of 1970": ["metrics: the time 9223372036854775807"],
    "a version names a run that is there": ["model versions: create of an unknown run"],
    "a source elsewhere, such as in HDFS, is kept as it is": [
        f"model versions: create of {source}" for source in ["https://host/x", "hdfs://h/x", "abfss://c@h/x"]
    ],
    "a model's numbers go on after it was deleted": ["registered models: delete and count on"],
    "one version of a model is in Production; the one before goes to Archived": ["stages: the others in Production stay"],
    "to Production only with a run and metrics": ["stages: to Production without a run"],
    "nothing returns to the stage None": ["stages: back to None"],
    "what is in Production can not be deleted or renamed": [
        "stages: delete from Production", "stages: delete a model in Production", "stages: rename a model in Production",
    ],
}
