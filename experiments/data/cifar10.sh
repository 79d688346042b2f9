#!/usr/bin/env bash
# usage: experiments/data/cifar10.sh SOURCE [DEST.h5]
# Imports CIFAR-10 (50,000 + 10,000 images of 32 x 32), by default into data/cifar10.h5 of the project. SOURCE is the binary
# version (cifar-10-binary.tar.gz of its home page, or the folder in it), or JPEG or PNG files train/CLASS/IMAGE and
# test/CLASS/IMAGE (a folder, or an archive .tar.gz, .tar.zst, ...). Does nothing if DEST.h5 exists. RANKS=4 imports on
# 4 ranks.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
[ $# = 1 ] || [ $# = 2 ] || { sed -n '2,6s/^# //p' "$0" >&2; exit 2; }
source=$1 dest=${2:-$root/data/cifar10.h5}
srq=${SRQ:-$root/build/release/bin/srq}
[ -x "$srq" ] || srq=$(command -v srq) || { echo "srq is not built: run experiments/quickstart.sh, or set SRQ to the program" >&2; exit 2; }

check() {
  local info
  info=$("$srq" data info "$dest") || exit 3
  case $info in *"50000 training and 10000 test images of 32 x 32 x 3, 10 classes"*) return ;; esac
  printf '%s: this is not all of CIFAR-10:\n%s\n' "$dest" "$info" >&2
  exit 3
}
if [ -e "$dest" ]; then
  check
  echo "$dest is there already"
  exit 0
fi
[ -e "$source" ] || { echo "$source: there is no such file or folder" >&2; exit 3; }
if [ -f "$source" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mkdir "$work/cifar10"
  tar -xf "$source" -C "$work/cifar10" || { echo "$source: tar cannot unpack it (for .zst, install zstd)" >&2; exit 3; }
  source=$work/cifar10
fi
# The data are in the folder itself or in one of its folders.
for folder in "$source" "$source"/*/; do
  [ -e "$folder/data_batch_1.bin" ] || [ -d "$folder/train" ] || continue
  source=${folder%/}
  break
done

import=("$srq" data import "$source" "$dest")
[ "${RANKS:-1}" = 1 ] || import=(mpirun --quiet --oversubscribe -n "$RANKS" "${import[@]}")
"${import[@]}"
check
