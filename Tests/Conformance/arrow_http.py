"""Stock pyarrow against the bulk routes: entities of every type written by it, answers read by it.

usage: arrow_http.py URL. Prints "good", or the first thing that is not as it must be.
"""
import datetime
import decimal
import sys
import urllib.error
import urllib.request

import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
UTC = datetime.timezone.utc
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=UTC)


def written(table, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue().to_pybytes()


def ask(path, body, accept=ARROW, content=ARROW):
    request = urllib.request.Request(
        f"{sys.argv[1]}/api/works/v1{path}", data=body, headers={"Content-Type": content, "Accept": accept})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers.get_content_type()


def table(path, body, **options):
    status, answer, kind = ask(path, body, **options)
    assert status == 200, (status, answer[:500])
    assert kind == ARROW, kind
    with pa.ipc.open_stream(answer) as reader:
        found = reader.read_all()
    found.validate(full=True)
    return found


def refused(path, body, *words):
    status, answer, _ = ask(path, body)
    assert status == 400, (path, status, answer[:300])
    for word in words:
        assert word in answer.decode(), (word, answer)


def check_online():
    shops = pa.array(["north", "south", "old", "nowhere", None])
    found = table("/features/online?features=last_click&details=true", written(pa.table({"shop": shops})))
    assert found.column_names[:4] == [
        "shop", "last_click__count", "last_click__count__status", "last_click__count__event_time"], found.column_names
    assert found["shop"].to_pylist() == ["north", "south", "old", "nowhere", None]
    assert found["last_click__count"].to_pylist() == [7, None, None, None, None]
    assert found["last_click__count__status"].to_pylist() == [
        "PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "NOT_FOUND", "NOT_FOUND"]
    times = found["last_click__count__event_time"].to_pylist()
    assert times[0] == datetime.datetime(2026, 3, 1, 11, 30), times
    types = {field.name: field.type for field in found.schema if field.name.count("__") == 1}
    assert types == {
        "last_click__count": pa.int64(), "last_click__price": pa.float64(), "last_click__rate": pa.float32(),
        "last_click__open": pa.bool_(), "last_click__label": pa.string(), "last_click__seen": pa.timestamp("us"),
    }, types
    row = found.slice(0, 1).to_pylist()[0]
    assert row["last_click__label"] == 'a "b" é' and row["last_click__open"] is True, row
    assert row["last_click__seen"] == datetime.datetime(1969, 12, 31, 23, 59, 58, 500000), row
    # Dictionaries, compression and large texts of other writers.
    for column in (shops.dictionary_encode(), shops.cast(pa.large_string()), shops.cast(pa.string_view())):
        for codec in (None, "lz4", "zstd"):
            body = written(pa.table({"shop": column}), options=pa.ipc.IpcWriteOptions(compression=codec))
            again = table("/features/online?features=last_click:count", body)
            assert again["last_click__count"].to_pylist() == [7, None, None, None, None]
    lists = table("/features/online?features=lists", written(pa.table({"shop": ["north"]})))
    assert lists["lists__both"].to_pylist() == [[1.0, None, 2.5]] and lists["lists__words"].to_pylist() == [["x", "é"]]
    beside = pa.table({"x": [{"a": 1}] * 2, "shop": ["nowhere", "north"], "y": [True, None]})
    assert table("/features/online?features=last_click:count", written(beside)).to_pylist() == [
        {"shop": "nowhere", "last_click__count": None}, {"shop": "north", "last_click__count": 7}]
    # Keys of other widths, and more entities than one look-up takes.
    routes = pa.table({"dest": pa.array([1, -2] * 12_500, pa.int8()), "origin": ["EWR", "JFK"] * 12_500})
    many = table("/features/online?features=last_ride:minutes", written(routes))
    assert many["last_ride__minutes"].to_pylist() == [30.0, 12.25] * 12_500
    asked = b'{"features":["last_click:count"],"entities":{"shop":["north"]}}'
    mixed = table("/features/online", asked, content="application/json")
    assert mixed.to_pylist() == [{"shop": "north", "last_click__count": 7}]
    nothing = table("/features/online?features=last_click:count", written(pa.table({"shop": pa.array([], pa.string())})))
    assert nothing.num_rows == 0 and nothing.column_names == ["shop", "last_click__count"]


def check_history():
    zones = [
        pa.array([NOON, NOON, NOON - datetime.timedelta(hours=1)], pa.timestamp("us", "America/New_York")),
        pa.array([NOON, NOON, NOON - datetime.timedelta(hours=1)], pa.timestamp("ns", "UTC")),
        pa.array([t.replace(tzinfo=None) for t in (NOON, NOON, NOON - datetime.timedelta(hours=1))], pa.timestamp("ms")),
        pa.array([t.replace(tzinfo=None) for t in (NOON, NOON, NOON - datetime.timedelta(hours=1))], pa.timestamp("s")),
    ]
    for times in zones:
        entities = pa.table({
            "shop": ["no", "nobody", "no"], "event_timestamp": times,
            "tiny": pa.array([1, None, -128], pa.int8()), "big": pa.array([2**64 - 1, None, 0], pa.uint64()),
            "half": pa.array([0.5, None, 1.0], pa.float32()), "flag": pa.array([True, None, False]),
            "day": pa.array([datetime.date(2024, 2, 29), None, datetime.date(1969, 12, 31)]),
            "money": pa.array([decimal.Decimal("1.25"), None, decimal.Decimal("-0.01")], pa.decimal128(9, 2)),
            "raw": pa.array([b"\x00\xff", None, b""]), "nested": pa.array([{"a": [1, None]}, None, {"a": []}]),
            "kind": pa.array(["x", None, "y"]).dictionary_encode(),
        })
        found = table("/features/history?features=lists", written(entities))
        assert found.column_names == entities.column_names + ["both", "words"], found.column_names
        assert found["both"].to_pylist() == [[1.5], None, [1.5]], found["both"]
        for name in entities.column_names:
            if name == "event_timestamp":
                continue
            assert found[name].to_pylist() == entities[name].to_pylist(), (name, found[name])
        assert pa.types.is_timestamp(found["event_timestamp"].type)
        first = found["event_timestamp"].cast(pa.timestamp("us", "UTC")).to_pylist()[0]
        assert first == NOON, first


def check_refusals():
    good = written(pa.table({"shop": ["north"], "event_timestamp": pa.array([NOON])}))
    for path in ("/features/online?features=last_click", "/features/history?features=lists"):
        for length in (0, 1, 8, 100, len(good) // 2, len(good) - 8, len(good) - 1):
            status, answer, _ = ask(path, good[:length])
            assert status == 400, (path, length, status, answer)
        refused(path, b"PAR1" + bytes(100), "Arrow stream")
        refused(path, good[: len(good) // 2] + bytes(64) + good[len(good) // 2 + 64 :])
    refused("/features/online?features=last_click", written(pa.table({"shp": ["north"]})), "'shop'", "Did you mean 'shp'?")
    refused("/features/online", good, "service")
    wrong = written(pa.table({"origin": ["EWR"], "dest": ["somewhere"]}))
    refused("/features/online?features=last_ride", wrong, "'dest'", "integer")


check_online()
check_history()
check_refusals()
print("good")
