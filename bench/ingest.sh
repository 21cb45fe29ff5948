#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench/ingest.sh BUILD FILM [ROUNDS]: the whole of `marquee ingest` (hash, probe, inspect, plan, encode, verify,
# package, publish) in a new data folder, against one ffmpeg process that only makes the same four H.264 rungs and
# three AAC sounds. Then what each type of step took, of the last round. Build first: ninja -C BUILD
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
build=${1:?usage: ingest.sh BUILD FILM [ROUNDS]}
film=${2:?a film}
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT
. "$here/bench/rungs.sh"
grep -v 'codec: \(av1\|opus\)' "$here/conf/ladder.yaml" >"$work/ladder.yaml"

theirs() { peer "$film" "$work/peer.mp4"; }
ours() {
    rm -rf "$work/data"
    "$build/src/app/marquee" ingest "$film" --data "$work/data" --ladder "$work/ladder.yaml" --json >"$work/report.json"
}

good=0
compare "${3:-3}" 1.35 || good=1
node -e '
const films = JSON.parse(require("fs").readFileSync(process.argv[1])).films;
const types = {};
for (const s of films[0].steps) {
  const type = s.name.split(/[ :\/]/)[0];
  const t = (types[type] ??= { n: 0, cpu: 0, wall: 0 });
  t.n += s.run, t.cpu += s.cpu_us / 1e6, t.wall += s.wall_us / 1e6;
}
for (const [name, t] of Object.entries(types))
  console.log(`${name.padEnd(16)} ${String(t.n).padStart(3)} steps ${t.cpu.toFixed(2).padStart(7)} s CPU ${t.wall.toFixed(2).padStart(7)} s wall`);
' "$work/report.json"
exit $good
