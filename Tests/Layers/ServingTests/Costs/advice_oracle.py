"""Works out what ServingAdviceTests expects, from the formulas of the guide and in other words than the program's.

usage: python3 Tests/Layers/ServingTests/Costs/advice_oracle.py > Tests/Layers/ServingTests/Costs/AdviceCases.swift
"""
import math

HOURS, PRICE = 730.0, 0.05
NET, STREAM, START, PERIOD, BILLED = 0.005, 1.0, 2.0, 60.0, 60.0
CALL, EVENT, TABLE, LOOKUP = 30e-6, 50e-6, 0.2, 40e-6
UNIT = {"ms": 1e-3, "us": 1e-6, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PER_DAY = {"s": 86400.0, "min": 1440.0, "h": 24.0, "day": 1.0, "month": 24.0 / 730.0}
SCALE = {"k": 1e3, "M": 1e6, "G": 1e9}

# latency, freshness, volume, rows per call, peak, idle hours, microseconds of a row
CASES = [
    ("50ms", "", "2M/day", 1, 3, 0, 10), ("100ms", "", "2M/day", 1, 3, 0, 10), ("50ms", "", "0/day", 1, 3, 0, 10),
    ("1d", "", "0/day", 1, 3, 0, 10), ("1d", "", "2M/day", 1, 3, 0, 10), ("6h", "", "2M/day", 1, 3, 0, 10),
    ("1h", "", "2M/day", 1, 3, 0, 10), ("5m", "", "2M/day", 1, 3, 0, 10), ("62s", "", "0/day", 1, 3, 0, 10),
    ("61s", "", "1/day", 1, 3, 0, 10), ("63s", "", "1/day", 1, 3, 0, 10), ("1s", "", "2M/day", 1, 3, 0, 10),
    ("999ms", "", "2M/day", 1, 3, 0, 10), ("2s", "", "10k/s", 1, 3, 0, 10), ("500ms", "", "10k/s", 1, 3, 0, 10),
    ("5ms", "", "2M/day", 1, 3, 0, 10), ("6ms", "", "2M/day", 1, 3, 0, 10), ("5400us", "", "2M/day", 1, 3, 0, 10),
    ("5300us", "", "2M/day", 1, 3, 0, 10), ("9us", "", "2M/day", 1, 3, 0, 10), ("10us", "", "1/s", 1, 3, 0, 10),
    ("11us", "", "1/s", 1, 3, 0, 10), ("50ms", "", "2M/day", 100, 3, 0, 10), ("10ms", "", "2M/day", 100, 3, 0, 10),
    ("50ms", "1d", "2M/day", 1, 3, 0, 10), ("50ms", "1d", "200M/day", 1, 3, 0, 2000),
    ("50ms", "10s", "200M/day", 1, 3, 0, 2000), ("50ms", "", "200M/day", 1, 3, 0, 2000),
    ("50ms", "", "20M/day", 1, 3, 12, 10), ("10s", "", "20M/day", 1, 3, 12, 10), ("10s", "", "5/min", 1, 3, 23, 10),
    ("50ms", "", "1G/day", 1, 1, 0, 10), ("50ms", "", "1G/day", 1, 10, 0, 10), ("1d", "", "1G/day", 1, 10, 0, 10),
    ("50ms", "", "1G/month", 1, 3, 0, 10), ("50ms", "", "300/s", 1, 3, 0, 100000), ("2s", "", "300/s", 1, 3, 0, 100000),
    ("100ms", "", "1/h", 1, 3, 0, 100000), ("2d", "", "1.5k/h", 1, 3, 0, 10), ("300ms", "", "3/s", 1, 3, 8, 20000),
]


def number(text, units):
    for unit in sorted(units, key=len, reverse=True):
        if text.endswith(unit):
            return float(text[:-len(unit)]) * units[unit]


def volume(text):
    amount, unit = text.split("/")
    return (float(amount[:-1]) * SCALE[amount[-1]] if amount[-1] in SCALE else float(amount)) * PER_DAY[unit]


def endpoint(latency, day, calls, peak, idle, seconds):
    awake = 24 - idle if day else 0
    soonest = NET + seconds * math.log(100) / 0.5
    busiest = calls / (awake * 3600) * peak if awake else 0
    replicas = max(2, math.ceil(busiest * seconds / 0.5))
    asleep = 0 if latency >= soonest + START else 2
    return replicas * HOURS * awake / 24 + asleep * HOURS * (24 - awake) / 24, soonest


for case in CASES:
    latency_text, fresh_text, volume_text, rows, peak, idle, micro = case
    latency = number(latency_text, UNIT)
    fresh = max(latency, number(fresh_text, UNIT) if fresh_text else 0)
    day, row = volume(volume_text), micro * 1e-6
    awake = 24 - idle if day else 0

    def before(soonest):
        if soonest <= latency:
            return 0.0, True
        paid, needs = endpoint(latency, day, day / rows, peak, idle, LOOKUP * rows)
        return paid, needs <= latency

    load = day / 86400 * row * TABLE
    machines = max(1, math.ceil(2 * load))
    most = (fresh - START) / (1 + load / machines)
    period = min(86400, max(PERIOD, most))
    read, readable = before(PERIOD * (1 + load / machines) + START)
    runs = HOURS * 3600 / period
    batch = read + (runs * machines * max(BILLED, START + period * load / machines) / 3600 if day else 0)
    batch_fits = most >= PERIOD and readable

    read, readable = before(STREAM)
    busiest = day / (awake * 3600) * peak if awake else 0
    stream = read + HOURS * (awake * max(1, math.ceil(busiest * (EVENT + row) / 0.8)) + (24 - awake)) / 24
    stream_fits = STREAM <= fresh and readable

    real, soonest = endpoint(latency, day, day / rows, peak, idle, CALL + rows * row)
    real_fits = soonest <= latency
    edge = day * HOURS / 24 * row / 3600
    edge_fits = rows * row <= latency
    found = [(name, cost) for name, cost, fits in (
        ("batch", batch, batch_fits), ("stream", stream, stream_fits), ("real-time", real, real_fits)) if fits]
    choice = min(found, key=lambda pair: pair[1])[0] if found else "edge" if edge_fits else ""
    fits = "".join("+" if one else "-" for one in (batch_fits, stream_fits, real_fits, edge_fits))
    costs = ", ".join(repr(cost * PRICE) for cost in (batch, stream, real, edge))
    if case is CASES[0]:
        print("// Written by advice_oracle.py.\n\nextension AdviceCase {\n    static let all: [AdviceCase] = [")
    freshness = '"%s"' % fresh_text if fresh_text else "nil"
    print(f'        AdviceCase("{latency_text}", {freshness}, "{volume_text}", rows: {rows}, peak: {peak}, idle: {idle}, '
          f'row: {micro},\n            "{choice}", "{fits}", [{costs}]),')
print("    ]\n}")
