"""Drives the test services of Tests/Foundations/GRPCTests with the stock grpcio client. Messages are bytes as they are.

usage: grpc_calls.py PART HOST:PORT [AUTHORITY]
"""
import asyncio
import os
import random
import sys
import threading
import time

import grpc

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def unary(channel, name):
    return channel.unary_unary(f"/test.Echo/{name}")


def bidi(channel, name):
    return channel.stream_stream(f"/test.Echo/{name}")


def code(call):
    try:
        call()
        return "OK", ""
    except grpc.RpcError as error:
        return error.code().name, error.details()


def part_unary(channel):
    for name in ("Inline", "Later", "Unary"):
        for message in (b"", b"x", b"hello", os.urandom(100_000)):
            assert unary(channel, name)(message) == message, (name, len(message))
    waiting = [unary(channel, "Later").future(b"%d" % index) for index in range(200)]
    assert [one.result() for one in waiting] == [b"%d" % index for index in range(200)]
    assert code(lambda: unary(channel, "Dropped")(b"")) == ("INTERNAL", "the handler ended without an answer")
    assert code(lambda: unary(channel, "Nothing")(b""))[0] == "UNIMPLEMENTED"
    assert code(lambda: channel.unary_unary("/nowhere")(b""))[0] == "UNIMPLEMENTED"


def part_statuses(channel):
    call = unary(channel, "Fail")
    wanted = "it went wrong as planned. Plan better"
    for name in ("INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "FAILED_PRECONDITION", "PERMISSION_DENIED",
                 "RESOURCE_EXHAUSTED", "UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS", "INTERNAL"):
        assert code(lambda: call(name.encode())) == (name, wanted), name
    for status in grpc.StatusCode:
        if status.value[0]:
            found = code(lambda: call(b"%d" % status.value[0]))
            assert found == (status.name, "100 % wrong: ä\n"), found
    name, text = code(lambda: call(b"secret"))
    assert name == "INTERNAL" and "file" not in text, text


def part_metadata(channel):
    call = unary(channel, "Metadata")
    found = call(b"", metadata=[("word", "hello"), ("token-bin", bytes(range(256)))])
    assert found == f"hello {list(range(256))} 127.0.0.1".encode(), found
    assert call(b"") == b"- [] 127.0.0.1"
    found = code(lambda: call(b"", metadata=[("word", "x" * 40_000)]))
    assert found[0] in ("UNKNOWN", "INTERNAL", "RESOURCE_EXHAUSTED"), found
    assert call(b"", metadata=[("word", "still")]) == b"still [] 127.0.0.1"


def part_sizes(channel):
    limit = 64 << 20
    message = os.urandom(1 << 20) * 64
    for name in ("Inline", "Unary"):
        start = time.monotonic()
        assert unary(channel, name)(message) == message
        print(name, "64 MB both ways:", round(time.monotonic() - start, 2), "s")
    found = code(lambda: unary(channel, "Inline")(message + b"x"))
    assert found[0] == "RESOURCE_EXHAUSTED", found
    assert str(limit) in found[1], found
    assert unary(channel, "Inline")(b"still") == b"still"


def part_gzip(channel):
    text = b"a text that repeats itself, " * 20_000
    for name in ("Inline", "Later", "Unary"):
        assert unary(channel, name)(text, compression=grpc.Compression.Gzip) == text, name
        assert unary(channel, name)(b"short", compression=grpc.Compression.Gzip) == b"short", name
    call = bidi(channel, "Stream")(iter([text, b"short", text]), compression=grpc.Compression.Gzip)
    assert list(call) == [text, b"short", text]
    bomb = bytes(80 << 20)
    found = code(lambda: unary(channel, "Unary")(bomb, compression=grpc.Compression.Gzip))
    assert found[0] == "RESOURCE_EXHAUSTED", found
    found = code(lambda: unary(channel, "Inline")(text, compression=grpc.Compression.Deflate))
    assert found[0] == "UNIMPLEMENTED" and "gzip" in found[1], found
    assert unary(channel, "Inline")(b"still") == b"still"


def part_deadlines(channel):
    call = unary(channel, "Wait")
    start = time.monotonic()
    found = code(lambda: call(b"", timeout=0.2))
    assert found[0] == "DEADLINE_EXCEEDED" and 0.15 < time.monotonic() - start < 2, found
    assert unary(channel, "Unary")(b"x", timeout=5) == b"x"
    found = code(lambda: list(bidi(channel, "Silent")(block(), timeout=0.2)))
    assert found[0] == "DEADLINE_EXCEEDED", found


def block():
    threading.Event().wait(0.5)
    yield b""


def part_cancels(channel):
    for _ in range(20):
        call = unary(channel, "Wait").future(b"")
        time.sleep(0.01)
        call.cancel()
        assert call.code() == grpc.StatusCode.CANCELLED
    stream = bidi(channel, "Endless")(iter([]))
    assert len(next(stream)) == 10_000
    stream.cancel()
    assert unary(channel, "Unary")(b"x") == b"x"


def part_streams(channel):
    call = bidi(channel, "Stream")
    messages = [b"%d" % index * (index % 50) for index in range(2000)]
    assert list(call(iter(messages))) == messages
    assert list(call(iter([]))) == []
    large = [os.urandom(5 << 20) for _ in range(4)]
    assert list(call(iter(large))) == large
    # Turn by turn: every answer comes before the next message is sent.
    ready = threading.Semaphore(1)

    def turns():
        for index in range(200):
            ready.acquire()
            yield b"turn %d" % index

    for index, answer in enumerate(call(turns())):
        assert answer == b"turn %d" % index
        ready.release()
    # A status alone is one frame, whatever thread gives it and when.
    for _ in range(200):
        found = code(lambda: list(bidi(channel, "Silent")(iter([b"x"]))))
        assert found == ("ABORTED", "after the end"), found
    # Many at once on one connection.
    results = []

    def work(seed):
        mine = [random.Random(seed).randbytes(1000) for _ in range(200)]
        results.append(list(call(iter(mine))) == mine)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 8


def part_backpressure(channel):
    # 20 MB for a handler that takes 1 ms for each message of 64 KB: the client is held back, and nothing is lost.
    sent = [0]

    def messages():
        for _ in range(320):
            sent[0] += 1
            yield bytes(65536)

    assert list(bidi(channel, "Slow")(messages())) == [b"%d" % (320 * 65536)]
    # A client that does not read.
    stream = bidi(channel, "Endless")(iter([]))
    next(stream)
    time.sleep(0.3)
    assert unary(channel, "Unary")(b"x") == b"x"
    stream.cancel()


def part_health(channel):
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert check(b"") == b"\x08\x01"
    found = code(lambda: check(b"\x0a\x04none"))
    assert found[0] == "NOT_FOUND", found
    assert code(lambda: check(b"\x0a\x09none"))[0] == "INTERNAL"
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
    stream = watch(b"\x0a\x04none")
    assert next(stream) == b"\x08\x03"
    stream.cancel()
    assert next(watch(b"")) == b"\x08\x01"


def part_many(channel):
    wrong = []

    def work(seed):
        source = random.Random(seed)
        for _ in range(100):
            message = source.randbytes(source.randrange(10_000))
            name = source.choice(["Inline", "Later", "Unary"])
            if unary(channel, name)(message) != message:
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong


def part_asyncio(target):
    async def all_of_it():
        async with grpc.aio.insecure_channel(target, options=OPTIONS) as channel:
            call = channel.unary_unary("/test.Echo/Unary")
            found = await asyncio.gather(*[call(b"%d" % index) for index in range(200)])
            assert found == [b"%d" % index for index in range(200)]
            stream = channel.stream_stream("/test.Echo/Stream")()
            for index in range(100):
                await stream.write(b"%d" % index)
                assert await stream.read() == b"%d" % index
            await stream.done_writing()
            assert await stream.read() is grpc.aio.EOF

    asyncio.run(all_of_it())


def part_drain(channel):
    # Calls without a pause while the server goes: each is answered, or refused before anything was done for it.
    call = unary(channel, "Later")
    watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
    assert next(watch) == b"\x08\x01"
    answered = 0
    while True:
        name, text = code(lambda: call(b"x"))
        if name == "OK":
            answered += 1
            continue
        assert name == "UNAVAILABLE" and "refused" in text.lower(), (name, text)
        break
    assert answered > 0
    told = []
    try:
        for status in watch:
            told.append(status)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    assert told == [b"\x08\x02"], told


def main():
    part, target = sys.argv[1:3]
    if part == "asyncio":
        part_asyncio(target)
    elif part == "tls":
        with open(sys.argv[3], "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        with grpc.secure_channel(target, credentials, options=OPTIONS) as channel:
            part_unary(channel)
            part_streams(channel)
    else:
        with grpc.insecure_channel(target, options=OPTIONS) as channel:
            globals()[f"part_{part}"](channel)


main()
