#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs what is missing of the given package lists, or says what to type. Usage: install.sh LIST…
# Node.js and npm are apart: a machine may hold a newer Node.js that conflicts with Debian's.
set -euo pipefail

missing=()
while read -r package; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done < <(grep -hv '^#' "$@" | grep .)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
[ ${#missing[@]} -eq 0 ] && exit 0

install=(apt-get install -y --no-install-recommends "${missing[@]}")
if [ "$(id -u)" -eq 0 ]; then
  root=()
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
  root=(sudo)
else
  echo "These packages are missing and you are not root. Type:" >&2
  echo "    sudo apt-get update && sudo ${install[*]}" >&2
  exit 1
fi
echo "installing ${missing[*]}" >&2
"${root[@]}" apt-get update -q >&2
DEBIAN_FRONTEND=noninteractive "${root[@]}" "${install[@]}" >&2
