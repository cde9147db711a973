import itertools

import numpy as np
from scipy import stats
from scipy.spatial.distance import jensenshannon
from sklearn import metrics

MASK = (1 << 64) - 1


def uniform(seed, count):
    """The top 53 bits of Knuth's MMIX generator, as numbers in [0, 1)."""
    values, state = [], seed
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        values.append((state >> 11) / float(1 << 53))
    return np.array(values)


def show(name, kind, rows):
    print(f"    static let {name}: [{kind}] = [")
    for row in rows:
        print("        (" + ", ".join(repr(float(v)) if isinstance(v, (float, np.floating)) else str(int(v)) for v in row) + "),")
    print("    ]\n")


def delong(labels, a, b=None):
    """Covariance of AUCs by comparing every pair, as the definition has it."""
    def parts(scores):
        pos, neg = scores[labels], scores[~labels]
        won = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
        return won.mean(axis=1), won.mean(axis=0)
    v, w = parts(a)
    if b is None:
        return v.var(ddof=1) / len(v) + w.var(ddof=1) / len(w)
    v2, w2 = parts(b)
    return (v - v2).var(ddof=1) / len(v) + (w - w2).var(ddof=1) / len(w)


print("// Printed by Tests/Oracles/Statistics/vectors.py; see the README beside it.\n\nenum OracleVectors {")

rows = []
for n, d in itertools.product([1, 2, 5, 10, 60, 140, 141, 500, 5000, 60000], [0.001, 0.005, 0.01, 0.03, 0.08, 0.2, 0.45, 0.7]):
    rows.append((n, d, stats.kstwo.sf(d, n)))
show("oneSampleKolmogorov", "(n: Int, d: Double, tail: Double)", rows)

rows = []
for n, m, shift, scale in [(5, 7, 0.2, 1e9), (30, 30, 0.1, 1e9), (100, 80, 0.05, 1e9), (200, 300, 0.1, 10), (50, 1000, 0.15, 1e9), (400, 400, 0.0, 1e9)]:
    a, b = np.floor(uniform(1, n) * scale), np.floor((uniform(2, m) + shift) * scale)
    exact, asym = stats.ks_2samp(a, b, method="exact"), stats.ks_2samp(a, b, method="asymp")
    rows.append((n, m, shift, scale, exact.statistic, exact.pvalue, asym.pvalue, stats.wasserstein_distance(a, b)))
show("twoSample", "(n: Int, m: Int, shift: Double, scale: Double, d: Double, exact: Double, asymptotic: Double, wasserstein: Double)", rows)

rows = []
for n, levels in [(20, 1000000), (200, 7), (500, 1000000), (1000, 40)]:
    u, noise, other = uniform(3, n), uniform(4, n), uniform(5, n)
    labels = u > 0.6
    a = np.floor((u * 0.5 + noise * 0.5) * levels) / levels
    b = np.floor((u * 0.3 + other * 0.7) * levels) / levels
    predicted = a >= 0.5
    edges = np.linspace(0, 1, 11)
    index = np.clip(np.searchsorted(edges, a, side="left") - 1, 0, 9)
    ece = sum(abs(labels[index == k].mean() - a[index == k].mean()) * (index == k).mean() for k in range(10) if (index == k).any())
    rows.append((n, levels, metrics.roc_auc_score(labels, a), delong(labels, a), metrics.roc_auc_score(labels, b), delong(labels, a, b),
                 metrics.log_loss(labels, a), metrics.brier_score_loss(labels, a), ece, metrics.accuracy_score(labels, predicted),
                 metrics.precision_score(labels, predicted), metrics.recall_score(labels, predicted), metrics.f1_score(labels, predicted)))
show("ranking", "(n: Int, levels: Double, auc: Double, variance: Double, otherAUC: Double, differenceVariance: Double, logLoss: Double, "
     "brier: Double, ece: Double, accuracy: Double, precision: Double, recall: Double, f1: Double)",
     [(r[0], float(r[1]), *r[2:]) for r in rows])

pairs = [([10, 20, 30, 40], [12, 18, 33, 37]), ([5, 0, 95, 0], [0, 5, 80, 15]), ([7, 3], [2, 9]), ([1, 2, 3, 4, 5, 6], [600, 500, 400, 300, 200, 100])]
print("    static let binned: [(reference: [Int], current: [Int], psi: Double, js: Double, kl: Double, chi: Double, chiTail: Double)] = [")
for r, c in pairs:
    p, q = np.array(r) / sum(r), np.array(c) / sum(c)
    fp, fq = np.maximum(p, 1e-4), np.maximum(q, 1e-4)
    table = np.array([r, c])
    chi = stats.chi2_contingency(table[:, table.sum(axis=0) > 0])
    kl = sum(a * np.log(a / b) for a, b in zip(p, fq) if a > 0)
    print(f"        ({r}, {c}, {float(((fp - fq) * np.log(fp / fq)).sum())!r}, {float(jensenshannon(p, q, base=2))!r}, {float(kl)!r}, {float(chi.statistic)!r}, {float(chi.pvalue)!r}),")
print("    ]\n")

show("wilson", "(successes: Int, trials: Int, lower: Double, upper: Double)",
     [(k, n, *stats.binomtest(k, n).proportion_ci(0.95, method="wilson")) for k, n in [(0, 10), (3, 10), (10, 10), (240, 1000)]])
show("chiSquareTail", "(x: Double, degrees: Double, tail: Double)",
     [(x, float(k), stats.chi2.sf(x, k)) for x in [0.01, 1.0, 5.0, 30.0, 200.0] for k in [1, 4, 25, 200]])
show("normalQuantile", "(probability: Double, z: Double)", [(p, stats.norm.ppf(p)) for p in [1e-10, 0.001, 0.3, 0.5, 0.9, 0.975, 0.9995]])
u = uniform(9, 37) * 100
show("quantiles", "(probability: Double, value: Double)", [(p, np.quantile(u, p)) for p in [0.0, 0.01, 0.25, 0.333, 0.5, 0.9, 0.99, 1.0]])
print(f"    static let summary = (mean: {float(u.mean())!r}, deviation: {float(u.std())!r})\n}}")
