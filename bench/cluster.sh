#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench/cluster.sh BUILD FOLDER: DBSCAN of marquee, scikit-learn (each of its ways) and R's dbscan on the same points, one
# thread each, least CPU milliseconds of five rounds without reading. FOLDER holds dbscan_A_10k10.csv and
# dbscan_B_100k3.csv. Peers: apt-get install python3-sklearn r-cran-dbscan. Build first:
# ninja -C BUILD bench/cluster_bench
set -euo pipefail
build=${1:?usage: cluster.sh BUILD FOLDER}
folder=${2:?the folder of the points}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

sklearn() {
    /usr/bin/python3 - "$@" <<'PY'
import sys, time
import numpy as np
from sklearn.cluster import DBSCAN
x = np.loadtxt(sys.argv[1], delimiter=',')
for way in ('brute', 'kd_tree', 'ball_tree'):
    if way == 'brute' and len(x) > 20000:
        continue  # a matrix of all pairs
    least = 1e9
    for _ in range(3 if len(x) > 20000 else 5):
        began = time.process_time()
        d = DBSCAN(eps=float(sys.argv[2]), min_samples=int(sys.argv[3]), algorithm=way, n_jobs=1).fit(x)
        least = min(least, time.process_time() - began)
    print(f'scikit-learn {way} {1000 * least:.0f} ms ({d.labels_.max() + 1} clusters)')
PY
}

r_dbscan() {
    /usr/bin/Rscript - "$@" <<'R'
a <- commandArgs(trailingOnly = TRUE)
suppressMessages(library(dbscan))
x <- as.matrix(read.csv(a[1], header = FALSE))
least <- 1e9
for (i in 1:5) {
  t <- system.time(d <- dbscan(x, eps = as.numeric(a[2]), minPts = as.integer(a[3])))
  least <- min(least, t[["user.self"]] + t[["sys.self"]])
}
cat(sprintf("R dbscan %.0f ms (%d clusters)\n", 1000 * least, max(d$cluster)))
R
}

for set in 'dbscan_A_10k10.csv 2.5 10' 'dbscan_B_100k3.csv 0.25 10'; do
    read -r file eps least <<<"$set"
    echo "$file"
    "$build/bench/cluster_bench" "$folder/$file" "$eps" "$least"
    sklearn "$folder/$file" "$eps" "$least"
    r_dbscan "$folder/$file" "$eps" "$least"
done
