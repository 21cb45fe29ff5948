#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The store of series beside VictoriaMetrics, on the same text: bytes and CPU a sample, time of a sum by, and whether
# what is read back is what was sent.
#   bench/series.sh BUILD_DIR [mixed | nab NAB_DIR]
# victoria-metrics is Debian's package; it is started on a port of its own and stopped again.
set -euo pipefail

build=${1:?usage: series.sh BUILD [mixed | nab FOLDER]} set=${2:-mixed} nab=${3:-}
bench=$build/bench/series_bench
dir=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$dir"
}
trap finish EXIT

if [ "$set" = nab ]; then
  mapfile -t files < <(find "$nab"/data/real* -name '*.csv' | sort)
  "$bench" files "${files[@]}" >"$dir/text"
else
  "$bench" mixed 10000 480 >"$dir/text"
fi
samples=$(wc -l <"$dir/text")
first=$(head -1 "$dir/text"); first=${first##* }
last=$(sort -n -t' ' -k3 "$dir/text" -S 256M | tail -1); last=${last##* }

echo "== marquee"
"$bench" load "$dir/text" "$dir/marquee"

echo "== victoria-metrics $(dpkg-query -W -f '${Version}' victoria-metrics)"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
victoria-metrics -storageDataPath "$dir/vm" -httpListenAddr "127.0.0.1:$port" -retentionPeriod 100y \
  -search.latencyOffset 0s -search.disableCache >"$dir/vm.log" 2>&1 &
server=$!
url=http://127.0.0.1:$port
until curl -sf "$url/health" >/dev/null; do read -rt 0.1 <> <(:) || :; done

cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$server/stat"; }
before=$(cpu_ms)
curl -sf -T "$dir/text" "$url/api/v1/import/prometheus"
curl -sf "$url/internal/force_flush"
curl -sf "$url/internal/force_merge"
# Merging goes on behind: until its CPU rests.
for ((same = 0, now = 0; same < 20; )); do
  was=$now; now=$(cpu_ms)
  if awk "BEGIN { exit !($now - $was < 5) }"; then same=$((same + 1)); else same=0; fi
  read -rt 0.1 <> <(:) || :
done
echo "import of text, parsing included: $(awk "BEGIN { printf \"%.0f\", ($(cpu_ms) - $before) * 1e6 / $samples }") ns cpu a sample"
count=$(((last - first) / 60000 + 1)) # a line has at most 20,000 values
"$build/bench/query_bench" "$dir/marquee" $((first / 60000 * 60000)) $((count < 10000 ? count : 10000)) "$url"
curl -sf -o "$dir/export" --get "$url/api/v1/export" --data-urlencode 'match[]={app="edge"}'
node "$(dirname "$0")/series_loss.mjs" "$dir/text" "$dir/export"
kill -TERM "$server"; wait "$server" || true; server=
data=$(du -sb "$dir/vm/data" | cut -f1) index=$(du -sb "$dir/vm/indexdb" | cut -f1)
awk "BEGIN { printf \"disk %.4f bytes a sample, and %.4f of index\n\", $data / $samples, $index / $samples }"
