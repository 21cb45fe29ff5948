#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Puts programs out of Debian packages into a folder, without installing the packages: theirs would start daemons.
# What the machine has already is used as it is. Needs no root. Usage: peers.sh LIST DIR.
set -euo pipefail

mkdir -p "${2:?a folder}"
dir=$(cd "$2" && pwd)
work=$dir/.work
PATH=$PATH:/usr/sbin:/sbin
trap 'rm -rf "$work"' EXIT

# The machine's package lists, or, where they are missing or old, lists of our own.
fetch() {
  rm -rf "$work" && mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/get" && cd "$work/get"
  apt-get -q download "$1" >"$work/log" 2>&1 && return
  local apt=(-q -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache" -o Acquire::Languages=none -o Acquire::Retries=2)
  { apt-get "${apt[@]}" update && apt-get "${apt[@]}" download "$1"; } >>"$work/log" 2>&1
}

while read -r package member; do
  program=${member##*/}
  { [ -x "$dir/$program" ] || command -v "$program" >/dev/null; } && continue
  echo "fetching $package (it is not installed)" >&2
  if ! fetch "$package"; then
    grep -E '^[EW]:' "$work/log" | tail -3 >&2
    echo "The package $package cannot be had. Type: apt-get update" >&2
    exit 1
  fi
  dpkg-deb --fsys-tarfile ./"$package"_*.deb | tar xO "./$member" >"$work/$program"
  chmod +x "$work/$program"
  # Whole, and with all that it links to.
  if ldd "$work/$program" | grep 'not found' >&2; then
    echo "$program of the package $package lacks what it links to" >&2
    exit 1
  fi
  mv "$work/$program" "$dir/$program"
done < <(grep -v '^#' "$1" | grep .)
