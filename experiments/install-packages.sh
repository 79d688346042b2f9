#!/usr/bin/env bash
# usage: experiments/install-packages.sh [LIST]
# Installs the packages of packages.txt (or of another list) that are missing. If none is missing, the script does
# nothing and needs no root rights.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
list=${1:-$root/packages.txt}

missing=()
while read -r package; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q '^install ok installed' || missing+=("$package")
done < <(sed -E 's/#.*//; s/[[:space:]]+//g; /^$/d' "$list")
[ ${#missing[@]} = 0 ] && exit 0

echo "Missing packages: ${missing[*]}"
command -v apt-get > /dev/null || { echo "This is not a Debian system. Install these packages in another way (modules, Spack), then build with cmake." >&2; exit 2; }
as_root=()
if [ "$(id -u)" != 0 ]; then
  command -v sudo > /dev/null || { echo "Run as root: apt-get install --no-install-recommends ${missing[*]}" >&2; exit 2; }
  as_root=(sudo)
fi
as_root+=(env DEBIAN_FRONTEND=noninteractive) # after sudo, because sudo clears the environment
"${as_root[@]}" apt-get update -q
"${as_root[@]}" apt-get install -q -y --no-install-recommends "${missing[@]}"
