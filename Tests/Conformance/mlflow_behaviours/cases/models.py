"""Registered models: their names, tags, aliases."""
from play import Group, delete, get, patch, post, short

WRONG, GONE, TAKEN = "INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"


def new(name="<n>", **fields):
    return post("registered-models/create", name=name, **fields)


def version(name="<n>", **fields):
    return post("model-versions/create", name=name, **{"source": "s3://bucket/model", **fields})


read = get("registered-models/get", name="<n>")
remove = delete("registered-models/delete", name="<n>")
models = Group("registered models")
models.add("create and get", 200, new(), read)
models.add("create with all", 200, new(description="what", tags=[{"key": "a", "value": "1"}]), read)
models.add("create with a tag twice", 200, new(tags=[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]), read)
models.add("create with an empty description", 200, new(description=""), read)
models.add("create twice", TAKEN, new(), new().says("already exists"))
models.add("create in another case", 200, new("a <n>"), new("A <n>"))
models.add("create without a name", WRONG, post("registered-models/create"))
for name in ["", " ", "a/b", "a:b", "..", "."]:
    models.add(f"create with the name {name!r}", WRONG, new(name))
models.add("create with a name of other letters", 200, new("モデル ü <n>"))
models.add("create with signs in its name", 200, new("a'b\"c;d--%_ <n>"))
models.add("create with a name of 300 characters", 200, new("<n>" + "x" * 200))
models.add("create with a bad tag", WRONG, new(tags=[{"key": "a;b", "value": "1"}]))
models.add("get: none", GONE, get("registered-models/get", name="<n>").says("not found"))
models.add("get: no name", WRONG, get("registered-models/get"))
models.add("describe", 200, new(), patch("registered-models/update", name="<n>", description="what"), read)
models.add("describe with nothing", 200, new(description="what"),
           patch("registered-models/update", name="<n>", description=""), read)
models.add("describe without a description", 200, new(description="what"), patch("registered-models/update", name="<n>"),
           read)
models.add("describe none", GONE, patch("registered-models/update", name="<n>", description="what"))
models.add("rename", 200, new(description="d"), version(), post("registered-models/rename", name="<n>", new_name="<n> new"),
           get("registered-models/get", name="<n> new"))
models.add("rename: the old name is free", GONE, new(), post("registered-models/rename", name="<n>", new_name="<n> new"),
           read)
models.add("rename: its versions go along", 200, new(), version(),
           post("registered-models/rename", name="<n>", new_name="<n> new"),
           get("model-versions/get", name="<n> new", version="1"))
models.add("rename to a name of another", TAKEN, new(), new("<n> new"),
           post("registered-models/rename", name="<n>", new_name="<n> new"))
models.add("rename to its own name", 200, new(), post("registered-models/rename", name="<n>", new_name="<n>"))
models.add("rename without a name", WRONG, new(), post("registered-models/rename", name="<n>"))
models.add("rename to a bad name", WRONG, new(), post("registered-models/rename", name="<n>", new_name="a/b"))
models.add("rename none", GONE, post("registered-models/rename", name="<n>", new_name="<n> new"))
models.add("delete", GONE, new(), remove, read)
models.add("delete none", GONE, remove)
models.add("delete without a name", WRONG, delete("registered-models/delete"))
models.add("delete takes the versions along", GONE, new(), version(), remove,
           get("model-versions/get", name="<n>", version="1"))
models.add("delete and create again", 200, new(description="d", tags=[{"key": "a", "value": "1"}]), remove, new(), read)
models.add("delete and count on", 200, new(), version(), remove, new(), version())
for what, path in [("set", "set-tag")]:
    models.add("tag", 200, new(), post(f"registered-models/{path}", name="<n>", key="a", value="1"),
               post(f"registered-models/{path}", name="<n>", key="a", value="2"), read)
models.add("tag without a value", 200, new(), post("registered-models/set-tag", name="<n>", key="a"), read)
models.add("tag without a key", WRONG, new(), post("registered-models/set-tag", name="<n>", value="a"))
models.add("tag with a bad key", WRONG, new(), post("registered-models/set-tag", name="<n>", key="a;b", value="1"))
models.add("tag with a key of 251 characters", WRONG, new(),
           post("registered-models/set-tag", name="<n>", key="k" * 251, value="1"))
models.add("tag with a value of 100,000 characters", 200, new(),
           post("registered-models/set-tag", name="<n>", key="a", value="v" * 100000))
models.add("tag with a value of 100,001 characters", WRONG, new(),
           post("registered-models/set-tag", name="<n>", key="a", value="v" * 100001))
models.add("tag none", GONE, post("registered-models/set-tag", name="<n>", key="a", value="1"))
models.add("delete a tag", 200, new(tags=[{"key": "a", "value": "1"}]),
           delete("registered-models/delete-tag", name="<n>", key="a"), read)
models.add("delete a tag that is not there", 200, new(), delete("registered-models/delete-tag", name="<n>", key="a"))
models.add("delete a tag of none", GONE, delete("registered-models/delete-tag", name="<n>", key="a"))
models.add("delete a tag without a key", WRONG, new(), delete("registered-models/delete-tag", name="<n>"))


def alias(name="champion", number="1"):
    return post("registered-models/alias", name="<n>", alias=name, version=number)


by_alias = get("registered-models/alias", name="<n>", alias="champion")
aliases = Group("aliases")
aliases.add("set and get", 200, new(), version(), alias(), by_alias)
aliases.add("move", 200, new(), version(), version(), alias(), alias(number="2"), by_alias)
aliases.add("several of a version", 200, new(), version(), alias(), alias("second"), read)
aliases.add("of the version", 200, new(), version(), alias(), get("model-versions/get", name="<n>", version="1"))
aliases.add("keeps its case", 400, new(), version(), alias("Champion"), by_alias)
aliases.add("a version by number", 200, new(), version(), alias(number=1), read)
for name in ["latest", "LATEST", "v1", "V12", "a b", "a/b", "", "a" * 256, "ä%"]:
    aliases.add(f"the name {short(name)}", WRONG, new(), version(), alias(name))
for name in ["v", "v1a", "1", "a-b_c", "a" * 255]:
    aliases.add(f"the name {short(name)}", 200, new(), version(), alias(name), read)
aliases.add("of an unknown version", GONE, new(), alias())
aliases.add("of a bad version", WRONG, new(), alias(number="x"))
aliases.add("of an unknown model", GONE, alias())
aliases.add("get: none", WRONG, new(), get("registered-models/alias", name="<n>", alias="champion").says("not found"))
aliases.add("get: of no model", 404, by_alias)
aliases.add("get: latest", 200, new(), version(), version(), get("registered-models/alias", name="<n>", alias="latest"))
aliases.add("get: latest of no versions", 404, new(), get("registered-models/alias", name="<n>", alias="latest"))
aliases.add("delete", 400, new(), version(), alias(), delete("registered-models/alias", name="<n>", alias="champion"),
            by_alias)
aliases.add("delete none", 200, new(), version(), delete("registered-models/alias", name="<n>", alias="champion"))
aliases.add("delete of no model", GONE, delete("registered-models/alias", name="<n>", alias="champion"))
aliases.add("goes with its version", 200, new(), version(), alias(),
            delete("model-versions/delete", name="<n>", version="1"), read)
aliases.add("stays when its model is renamed", 200, new(), version(), alias(),
            post("registered-models/rename", name="<n>", new_name="<n> new"),
            get("registered-models/alias", name="<n> new", alias="champion"))
aliases.add("a search of versions", 200, new(), version(), alias(), get("model-versions/search", filter="name = '<n>'"))
GROUPS = [models, aliases]
