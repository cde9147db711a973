"""What Knative's pod autoscaler wants for a trace of load, computed anew from its published rules.

Reads lines of JSON, {"policy": {...}, "trace": [[concurrency, p95 seconds or null], ...]}: one entry a second, replicas
follow what was wanted a second before. Writes for each a list of what is wanted.
"""
import json
import math
import sys


def run(policy, trace):
    stable_window, panic_window = policy["stable"], policy["panic"]
    target, low, high = policy["target"], policy["min"], policy["max"]
    ready, panic_start, panic_most, last_use = max(1, low), None, 0, 0
    history, slow, wanted = [], [], []
    out = []
    for now, (concurrency, p95) in enumerate(trace):
        history.append(concurrency)
        if concurrency > 0:
            last_use = now
        stable = sum(history[-stable_window:]) / len(history[-stable_window:])
        short = sum(history[-panic_window:]) / len(history[-panic_window:])
        pods = max(1, ready)
        up, down = math.ceil(1000 * pods), math.floor(pods / 2)
        desired_stable = min(max(math.ceil(stable / target), down), up)
        desired_panic = min(max(math.ceil(short / target), down), up)
        over = math.ceil(short / target) / pods >= policy["threshold"]
        if over:
            panic_start = now
        elif panic_start is not None and panic_start + stable_window < now:
            panic_start, panic_most = None, 0
        if panic_start is not None:
            panic_most = max(panic_most, desired_stable, desired_panic)
            desired = panic_most
        elif abs(stable / (target * pods) - 1) <= policy["tolerance"]:
            desired = pods
        else:
            desired = desired_stable
        # The horizontal pod autoscaler's rule for a metric that is missed, and its rule of the highest in the window.
        if policy["latency"] is not None:
            if p95 is not None and p95 / policy["latency"] > 1 + policy["tolerance"]:
                slow.append((now, math.ceil(pods * p95 / policy["latency"])))
            slow = [(at, count) for at, count in slow if at > now - stable_window]
            desired = max([desired] + [count for _, count in slow])
        if policy["delay"] > 0:
            wanted.append((now, desired))
            wanted = [(at, count) for at, count in wanted if at > now - policy["delay"]]
            desired = max(count for _, count in wanted)
        if low == 0 and desired <= high and now - last_use >= stable_window + policy["grace"]:
            desired = 0
        else:
            desired = min(high, max(desired, low, 1))
        out.append(desired)
        ready = desired
    return out


for line in sys.stdin:
    case = json.loads(line)
    print(json.dumps(run(case["policy"], case["trace"])))
