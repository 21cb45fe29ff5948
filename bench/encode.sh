#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench/encode.sh BUILD FILM [ROUNDS]: encode + verify + package of the H.264 ladder and AAC, two
# processes, against one ffmpeg process that makes the same four rungs (a film of 720 lines).
# Build first: ninja -C BUILD bench/encode_bench
set -euo pipefail
build=${1:?usage: encode.sh BUILD FILM [ROUNDS]}
film=${2:?a film}
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT
. "$(dirname "$0")/rungs.sh"

theirs() { peer "$film" "$work/peer.mp4"; }
ours() { "$build/bench/encode_bench" "$film" "$work/ours" h264 2; }

compare "${3:-3}" 1.10
