"""Experiments: their names, tags, life cycle and search."""
from play import Group, get, post

WRONG, GONE, TAKEN = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


def new(name="<n>", **fields):
    return post("experiments/create", name=name, **fields).keep(e="experiment_id")


def read(e="<e>"):
    return get("experiments/get", experiment_id=e)


def tag(key, value, e="<e>"):
    return post("experiments/set-experiment-tag", experiment_id=e, key=key, value=value)


remove, restore = post("experiments/delete", experiment_id="<e>"), post("experiments/restore", experiment_id="<e>")

life = Group("experiments")
life.add("create and get", 200, new(), read())
life.add("the default one", 200, get("experiments/get-by-name", experiment_name="Default"))
life.add("create with tags", 200, new(tags=[{"key": "a", "value": "1"}, {"key": "b", "value": ""}]), read())
life.add("create with a tag of no value", 200, new(tags=[{"key": "a"}]), read())
life.add("create with a tag twice", TAKEN, new(tags=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]))
life.add("create with a tag of no key", WRONG, new(tags=[{"value": "1"}]))
life.add("create with a location", 200, new(artifact_location="s3://bucket/<n>"), read())
life.add("create with a location that ends in a slash", 200, new(artifact_location="s3://bucket/<n>/"), read())
life.add("runs are below the location", 200, new(artifact_location="s3://bucket/<n>"),
         post("runs/create", experiment_id="<e>"))
life.add("a location with ..", 200, new(artifact_location="s3://bucket/../x"))
life.add("a location with a fragment", WRONG, new(artifact_location="s3://bucket/x#y"))
life.add("a location with a query", 200, new(artifact_location="s3://bucket/x?y=z"))
life.add("a location of 2,049 characters", WRONG, new(artifact_location="s3://" + "x" * 2044))
life.add("a name in other letters", 200, new("naïve ü 実験 <n>"), read())
life.add("a name with signs", 200, new("a/b'c\"d%_;-- <n>"), read())
life.add("a long name", 200, new("<n>" + "x" * 460), read())
life.add("a name of 600 characters", WRONG, new("x" * 600).says("exceeds the maximum length of 500"))
life.add("no name", WRONG, post("experiments/create").says("Missing value for required parameter 'name'"))
life.add("an empty name", WRONG, new("").says("'name'"))
life.add("a blank name", 200, new("  "))
life.add("a name twice", TAKEN, new(), new().says("already exists"))
life.add("a name in another case", 200, new("a <n>"), new("A <n>"))
life.add("a name of a deleted one", TAKEN, new(), remove, new())
life.add("get: no id", WRONG, get("experiments/get").says("'experiment_id'"))
life.add("get: an unknown id", GONE, read("99999999").says("No Experiment with id=99999999 exists"))
life.add("get: an id that is no number", WRONG, read("x").says("Invalid experiment ID 'x'"))
life.add("get: a negative id", GONE, read("-5"))
life.add("get: an id beyond 64 bits", 500, read("99999999999999999999"))
life.add("by name: get", 200, new(), get("experiments/get-by-name", experiment_name="<n>"))
life.add("by name: none", GONE, get("experiments/get-by-name",
         experiment_name="<n>").says("Could not find experiment with name"))
life.add("by name: no name", WRONG, get("experiments/get-by-name"))
life.add("by name: another case", GONE, new("a <n>"), get("experiments/get-by-name", experiment_name="A <n>"))
life.add("by name: a deleted one", 200, new(), remove, get("experiments/get-by-name", experiment_name="<n>"))
life.add("rename", 200, new(), post("experiments/update", experiment_id="<e>", new_name="<n> new"), read())
life.add("rename to its own name", 200, new(), post("experiments/update", experiment_id="<e>", new_name="<n>"), read())
life.add("rename to a name of another", 400, new("<n> other"), new(),
         post("experiments/update", experiment_id="<e>", new_name="<n> other"))
life.add("rename without a name", WRONG, new(), post("experiments/update", experiment_id="<e>"))
life.add("rename to a blank name", 200, new(), post("experiments/update", experiment_id="<e>", new_name=" "))
life.add("rename to 600 characters", WRONG, new(), post("experiments/update", experiment_id="<e>", new_name="x" * 600))
life.add("rename an unknown one", GONE, post("experiments/update", experiment_id="99999999", new_name="<n>"))
life.add("rename a deleted one", "INVALID_STATE", new(), remove,
         post("experiments/update", experiment_id="<e>", new_name="<n> x"))
life.add("delete", 200, new(), remove, read())
life.add("delete twice", GONE, new(), remove, remove)
life.add("delete an unknown one", GONE, post("experiments/delete", experiment_id="99999999"))
life.add("delete no id", WRONG, post("experiments/delete"))
life.add("delete takes the runs along", 200, new(), post("runs/create", experiment_id="<e>").keep(r="run.info.run_id"),
         remove, get("runs/get", run_id="<r>"))
life.add("restore", 200, new(), remove, restore, read())
life.add("restore an active one", GONE, new(), restore)
life.add("restore an unknown one", GONE, post("experiments/restore", experiment_id="99999999"))
life.add("restore brings back all runs", 200, new(), post("runs/create", experiment_id="<e>").keep(r="run.info.run_id"),
         post("runs/delete", run_id="<r>"), remove, restore, get("runs/get", run_id="<r>"))
life.add("tag", 200, new(), tag("a", "1"), tag("a", "2"), tag("b", ""), read())
life.add("tag without a value", 200, new(), post("experiments/set-experiment-tag", experiment_id="<e>", key="a"), read())
life.add("tag without a key", WRONG, new(), post("experiments/set-experiment-tag", experiment_id="<e>", value="a"))
life.add("tag with an empty key", WRONG, new(), tag("", "1"))
life.add("tag with a key of 250 characters", 200, new(), tag("k" * 250, "1"), read())
life.add("tag with a key of 251 characters", WRONG, new(), tag("k" * 251, "1"))
life.add("tag with a bad key", WRONG, new(), tag("a//b", "1"))
life.add("tag with signs in its key", WRONG, new(), tag("a;b", "1"))
life.add("tag with a value of 5,000 characters", 200, new(), tag("a", "v" * 5000), read())
life.add("tag with a value of 20,001 characters", WRONG, new(), tag("a", "v" * 20001))
life.add("tag of an unknown one", GONE, tag("a", "1", "99999999"))
life.add("tag of a deleted one", WRONG, new(), remove, tag("a", "1").says("must be in the 'active' state"))
life.add("delete a tag", 200, new(), tag("a", "1"), post("experiments/delete-experiment-tag", experiment_id="<e>", key="a"),
         read())
life.add("delete a tag that is not there", GONE, new(),
         post("experiments/delete-experiment-tag", experiment_id="<e>", key="a").says("No tag with name: a"))
life.add("delete a tag of a deleted one", WRONG, new(), tag("a", "1"), remove,
         post("experiments/delete-experiment-tag", experiment_id="<e>", key="a"))


def of(name, **tags):
    return post("experiments/create", name=name, tags=[{"key": "set", "value": "<g>"}] + [
        {"key": key, "value": value} for key,
            value in tags.items()]).keep(**{"e" + name.split()[0].lower(): "experiment_id"})


found = Group("experiment search", of("alpha <g>", n="1"), of("Beta <g>", n="2", odd="x'y"), of("gamma% <g>", n="3"),
              of("delta_ <g>", n="4", third=""), of("gone <g>"), post("experiments/delete", experiment_id="<egone>"))


def find(filter="", order=("name ASC",), **fields):
    fields.setdefault("max_results", 100)
    return post("experiments/search", filter=f"tags.set = '<g>'{' AND ' if filter else ''}{filter}", order_by=list(order),
        **fields)


for name, filter in [
        ("all", ""), ("name equals", "name = 'alpha <g>'"), ("name differs", "name != 'alpha <g>'"),
        ("LIKE", "name LIKE 'alpha%'"), ("LIKE keeps case", "name LIKE 'ALPHA%'"), ("ILIKE", "name ILIKE 'BETA%'"),
        ("an underscore is any character", "name LIKE 'delt__ <g>'"), ("per cent is any text", "name LIKE '%a% <g>'"),
        ("attribute.name", "attribute.name = 'alpha <g>'"), 
        ("lower case and", "name != 'x' and name LIKE 'al%'"), ("a tag", "tags.n = '2'"), ("tag", "tag.n = '2'"),
        ("a tag in back quotes", "tags.`n` = '2'"), ("a tag differs", "tags.n != '2'"), ("a tag LIKE", "tags.n LIKE '_'"),
        ("a tag is null", "tags.third IS NULL"), ("a tag is not null", "tags.third IS NOT NULL"),
        ("times", "creation_time > 0 AND last_update_time >= 1000"), ("times to come", "creation_time > 99999999999999"),
        ("by id", "experiment_id = '<ealpha>'"), ("not by id", "experiment_id != '<ealpha>'"),
        ("ids", "experiment_id IN ('<ealpha>', '<ebeta>')"), ("not ids", "experiment_id NOT IN ('<ealpha>', '<ebeta>')"),
        ("a quote that is doubled", "tags.odd = 'x''y'"), ("double quotes", "tags.odd = \"x'y\""),
]:
    found.add(name, 200, find(filter))
for name, filter in [
        ("attributes.name", "attributes.name = 'alpha <g>'"), ("OR", "name = 'a' OR name = 'b'"), ("NOT", "NOT name = 'a'"),
            ("brackets", "(name = 'a')"), ("an unknown attribute", "colour = 'a'"),
        ("an unknown entity", "metrics.a = 1"), ("a number for a name", "name = 5"),
            ("text for a time", "creation_time > 'x'"),
        ("a name by order", "name > 'a'"), ("LIKE of a time", "creation_time LIKE 'x'"), ("no value", "name ="),
            ("no comparison", "name"),
        ("an open quote", "name = 'a"), ("a name IN", "name IN ('a')"), ("an id by order", "experiment_id > '1'"),
            ("a fraction of a time", "creation_time > 1.5"),
        ("two statements", "name = 'a'; DROP TABLE experiments"), ("a comment", "name = 'a' --"),
            ("a tag by order", "tags.a > '1'"),
]:
    found.add(f"refused: {name}", WRONG, post("experiments/search", filter=filter, max_results=10))
for name, order in [
        ("by name down", ["name DESC"]), ("by id", ["experiment_id ASC"]), ("by id down", ["experiment_id DESC"]),
        ("by creation", ["creation_time ASC"]), ("by change down", ["last_update_time DESC"]),
            ("attribute.name", ["attribute.name"]),
        ("two keys", ["name DESC", "creation_time ASC"]), ("in small letters", ["name desc"]), ("none", []),
]:
    found.add(f"order: {name}", 200, find(order=order))
for name, order in [("an unknown one", ["colour"]), ("a tag", ["tags.n"]), ("a bad direction", ["name UP"]),
    ("an empty one", [""])]:
    found.add(f"order: {name}", WRONG, find(order=order))
found.add("order: a key twice", 200, find(order=["name ASC", "name DESC"]))
found.add("pages", 200, find(max_results=3).keep(token="next_page_token"), find(max_results=3, page_token="<token>"))
found.add("a page that is just full", 200, find(max_results=4))
found.add("a bad token", WRONG, find(page_token="garbage"))
found.add("deleted ones", 200, find(view_type="DELETED_ONLY"))
found.add("all stages", 200, find(view_type="ALL"))
found.add("an unknown stage", 200, find(view_type="NONE"))
found.add("max_results 0", WRONG, find(max_results=0))
found.add("max_results below 0", WRONG, find(max_results=-1))
found.add("max_results 50,001", WRONG, find(max_results=50001))
found.add("max_results unset", WRONG, post("experiments/search", filter="name = 'x'"))
found.add("by GET", 200, get("experiments/search", filter="tags.set = '<g>'", max_results="2", order_by=["name ASC"]))
GROUPS = [life, found]
