"""Makes ten minutes of three sensors, one reading a second each, with a jump now and then; the same at every run.

usage: readings.py > readings.jsonl
"""
import datetime
import json
import math
import random

SECONDS = 600
JUMPS = {("boiler", 180), ("boiler", 431), ("pump", 95), ("pump", 300), ("valve", 540)}
BEGIN = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.timezone.utc)

noise = random.Random(7)
for second in range(SECONDS):
    for sensor, level in (("boiler", 80.0), ("pump", 4.0), ("valve", 20.0)):
        value = level + 0.5 * math.sin(second / 90) + noise.gauss(0, 0.3)
        if (sensor, second) in JUMPS:
            value += 6
        at = (BEGIN + datetime.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
        print(json.dumps({"id": f"{sensor}-{second}", "sensor": sensor, "at": at, "value": round(value, 4)}))
# What a broken sensor sends does not stop the others.
print(json.dumps({"id": "pump-600", "sensor": "pump", "at": at, "value": "err"}))
