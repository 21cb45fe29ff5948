#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench/encode.sh BUILD FILM [ROUNDS]: encode + verify + package of the H.264 ladder and AAC, two
# processes, against one ffmpeg process that makes the same four rungs (a film of 720 lines).
# Rounds alternate, so that a machine's moods hit both. Prints wall times and their ratio.
set -eu
build=$1
film=$2
rounds=${3:-3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

peer() {
    ffmpeg -v error -nostdin -y -i "$film" -filter_complex \
        "[0:v]split=4[a][b][c][d];[a]scale=426:240[v0];[b]scale=640:360[v1];[c]scale=854:480[v2];[d]null[v3]" \
        -map '[v0]' -map '[v1]' -map '[v2]' -map '[v3]' -map 0:a -map 0:a -map 0:a \
        -c:v libx264 -preset veryfast -g 96 \
        -crf:v:0 25 -maxrate:v:0 400k -bufsize:v:0 800k \
        -crf:v:1 24 -maxrate:v:1 900k -bufsize:v:1 1800k \
        -crf:v:2 23.5 -maxrate:v:2 1800k -bufsize:v:2 3600k \
        -crf:v:3 23 -maxrate:v:3 4500k -bufsize:v:3 9000k \
        -c:a aac -b:a:0 64k -b:a:1 128k -b:a:2 192k -f mp4 "$work/peer.mp4"
}

ours() {
    "$build/bench/encode_bench" "$film" "$work/ours" h264 2 2>"$work/log"
}

now() { date +%s%N; }

# Nanoseconds of wall and CPU that "$1" takes.
cost() {
    start=$(now)
    ("$1"; times) | tail -n 1 | tr 'ms' '  ' |
        awk '{ printf "%.0f ", ($1 * 60 + $2 + $3 * 60 + $4) * 1e9 }'
    echo "$(($(now) - start))"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    echo "$(cost peer) $(cost ours)"
done | awk '{ printf "peer %.2f s wall %.2f s CPU, ours %.2f s wall %.2f s CPU: ratio %.3f wall %.3f CPU\n",
                     $2/1e9, $1/1e9, $4/1e9, $3/1e9, $4/$2, $3/$1
              pw += $2; ow += $4; pc += $1; oc += $3 }
            END { printf "all rounds: ratio %.3f wall, %.3f CPU\n", ow/pw, oc/pc }'
