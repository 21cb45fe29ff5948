# SPDX-License-Identifier: GPL-3.0-or-later
"""PELT in numpy, as a data scientist writes it: the candidates of a step in one vector expression. The peer that
bench/change_bench is measured beside: pelt.py FILE (one number a line; the first 480) -> changes, milliseconds."""
import sys
import time

import numpy as np


def pelt(x, penalty):
    n = len(x)
    s = np.concatenate(([0.0], np.cumsum(x)))
    q = np.concatenate(([0.0], np.cumsum(x * x)))
    least = np.zeros(n + 1)
    least[0] = -penalty
    start = np.zeros(n + 1, dtype=int)
    live = np.array([0])
    for t in range(1, n + 1):
        cost = least[live] + q[t] - q[live] - (s[t] - s[live]) ** 2 / (t - live)
        best = np.argmin(cost)
        least[t] = cost[best] + penalty
        start[t] = live[best]
        live = np.append(live[cost <= least[t]], t)
    changes = []
    t = n
    while start[t] > 0:
        t = start[t]
        changes.append(int(t))
    return changes[::-1]


values = np.array([float(line) for line in open(sys.argv[1])][:480])
values = values - values.mean()
least = np.inf
for _ in range(20):
    began = time.process_time()
    found = pelt(values, 3 * np.log(len(values)))
    least = min(least, time.process_time() - began)
print(f"numpy PELT, mean: {len(values)} values, {len(found)} changes, {least * 1e3:.2f} ms")
