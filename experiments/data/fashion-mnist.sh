#!/usr/bin/env bash
# usage: experiments/data/fashion-mnist.sh [DEST.h5]
# Imports Fashion-MNIST (60,000 + 10,000 pictures of clothes) from Debian's package dataset-fashion-mnist, by default
# into data/fashion-mnist.h5 of the project. Does nothing if that is there.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
dest=${1:-$root/data/fashion-mnist.h5}
source=/usr/share/datasets/fashion-mnist
srq=${SRQ:-$root/build/release/experiments/srq}
[ -x "$srq" ] || srq=$(command -v srq) || { echo "srq is not built: run experiments/quickstart.sh, or set SRQ to the program" >&2; exit 2; }

if [ -e "$dest" ]; then
  "$srq" data info "$dest" > /dev/null && echo "$dest is there already" && exit 0
  exit 3
fi
[ -d "$source" ] || { echo "$source is missing: apt-get install dataset-fashion-mnist" >&2; exit 2; }
"$srq" data import "$source" "$dest"
