# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced by encode.sh and ingest.sh: one ffmpeg process that makes the four H.264 rungs and three sounds of a
# film of 720 lines, as conf/ladder.yaml asks for them, and the clocks both benchmarks share.

# peer FILM OUT.mp4
peer() {
    ffmpeg -v error -nostdin -y -i "$1" -filter_complex \
        "[0:v]split=4[a][b][c][d];[a]scale=426:240[v0];[b]scale=640:360[v1];[c]scale=854:480[v2];[d]null[v3]" \
        -map '[v0]' -map '[v1]' -map '[v2]' -map '[v3]' -map 0:a -map 0:a -map 0:a \
        -c:v libx264 -preset veryfast -g 96 \
        -crf:v:0 25 -maxrate:v:0 400k -bufsize:v:0 800k \
        -crf:v:1 24 -maxrate:v:1 900k -bufsize:v:1 1800k \
        -crf:v:2 23.5 -maxrate:v:2 1800k -bufsize:v:2 3600k \
        -crf:v:3 23 -maxrate:v:3 4500k -bufsize:v:3 9000k \
        -c:a aac -b:a:0 64k -b:a:1 128k -b:a:2 192k -f mp4 "$2"
}

# Prints the CPU seconds (of all processes) and the wall seconds that a command takes; its own output goes to
# the file LOG, which is shown when it fails, and then the benchmark ends.
cost() {
    local TIMEFORMAT='%U %S %R' spent
    if ! spent=$({ time "$@" >"$log" 2>&1; } 2>&1); then
        cat "$log" >&2
        return 1
    fi
    awk '{ print $1 + $2, $3 }' <<<"$spent"
}

# compare ROUNDS LIMIT: runs `theirs` and `ours` in turn, so that a machine's moods hit both, and prints the ratios;
# fails when the wall ratio of all rounds is over LIMIT.
compare() {
    local rounds=$1 limit=$2 round a b table=''
    for ((round = 0; round < rounds; round++)); do
        a=$(cost theirs)
        b=$(cost ours)
        table+="$a $b"$'\n'
    done
    awk -v limit="$limit" 'NF == 4 {
            printf "ffmpeg %6.2f s wall %6.2f s CPU   marquee %6.2f s wall %6.2f s CPU   ratio %.2f wall %.2f CPU\n",
                   $2, $1, $4, $3, $4 / $2, $3 / $1
            pw += $2; ow += $4; pc += $1; oc += $3 }
        END { printf "all rounds: ratio %.3f wall (limit %.2f), %.3f CPU\n", ow / pw, limit, oc / pc
              exit ow > limit * pw }' <<<"$table"
}
