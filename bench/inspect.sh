#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench/inspect.sh FILM [ROUNDS]: CPU seconds of `marquee inspect` against ffmpeg decoding alone, and against
# ffmpeg's own detectors, in turn on the same machine. Build first: ninja -C build/release src/app/marquee
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
film=${1:?usage: inspect.sh FILM [ROUNDS]}
rounds=${2:-3}
marquee=${MARQUEE:-$here/build/release/src/app/marquee}

# CPU seconds of a command with its children.
cpu() {
    local TIMEFORMAT='%U %S' spent
    spent=$({ time "$@" >/dev/null 2>&1; } 2>&1)
    awk '{print $1 + $2}' <<<"$spent"
}

least() {
    local best='' now
    for ((i = 0; i < rounds; i++)); do
        now=$(cpu "$@")
        best=$(awk -v a="${best:-$now}" -v b="$now" 'BEGIN {print (a < b) ? a : b}')
    done
    echo "$best"
}

ours=$(least "$marquee" inspect "$film" --json)
decode=$(least ffmpeg -nostdin -threads 1 -i "$film" -f null -)
theirs=$(least ffmpeg -nostdin -threads 1 -i "$film" \
    -vf blackdetect,freezedetect,idet -af silencedetect,ebur128 -f null -)
awk -v o="$ours" -v d="$decode" -v t="$theirs" 'BEGIN {
    printf "marquee inspect                                              %6.2f CPU-s\n", o
    printf "ffmpeg -threads 1 -f null                                    %6.2f CPU-s   ratio %.2f (limit 1.50)\n", d, o / d
    printf "ffmpeg blackdetect,freezedetect,idet,silencedetect,ebur128   %6.2f CPU-s   ratio %.2f (limit 1.00)\n", t, o / t
    exit !(o <= 1.5 * d && o < t)
}'
