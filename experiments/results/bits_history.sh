#!/usr/bin/env bash
# usage: experiments/results/bits_history.sh RUN... PICTURE.svg|PICTURE.png
# Plots the history of runs whose bit-lengths are learned or scheduled, from their log.jsonl. Each run is one row. The left
# plot shows the bit-length of each layer over the epochs (and the mean under the probabilities of the gates). The right plot
# shows the test error, and the bit operations as a share of those of the same layers at 8/8. Needs gnuplot and python3.
set -euo pipefail
fail() { echo "bits_history.sh: $1" >&2; exit "$2"; }
[ $# -ge 2 ] || fail "usage: bits_history.sh RUN... PICTURE.svg|PICTURE.png" 2
picture=${!#}
runs=("${@:1:$#-1}")
case $picture in
  *.svg) terminal="svg size 1100,$((360 * ${#runs[@]})) dynamic font 'Helvetica,13' background rgb 'white'" ;;
  *.png) terminal="pngcairo size 1100,$((360 * ${#runs[@]})) font 'Helvetica,11'" ;;
  *) fail "$picture: the last argument is the picture to make, PICTURE.svg or PICTURE.png" 2 ;;
esac
for run in "${runs[@]}"; do [ -r "$run/log.jsonl" ] || fail "$run: it contains no log.jsonl; name a run directory of srq train" 3; done
command -v gnuplot > /dev/null || fail "gnuplot is missing: apt-get install gnuplot-nox" 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$work" "$terminal" "${runs[@]}" << 'END'
import json, os, sys
work, terminal, *runs = sys.argv[1:]
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999"]  # Okabe and Ito's

def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', "'") + '"'

script = [f"set terminal {terminal}", "set output picture", "set multiplot", "set grid ytics lc rgb '#dddddd'",
          "set tics nomirror out", "set xlabel 'epoch'"]

def panel(left, right, key):
    """Places the next plot, and its key beside it, in the n-th row."""
    row = 1 / len(runs)
    return [f"set lmargin at screen {left}", f"set rmargin at screen {right}", f"set tmargin at screen {1 - row * (n + 0.12)}",
            f"set bmargin at screen {1 - row * (n + 0.82)}",
            f"set key at graph {key}, graph 1.02 left top Left reverse samplen 2 spacing 1.2"]

for n, run in enumerate(runs):
    evals = {}
    with open(os.path.join(run, "log.jsonl")) as lines:
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the last line of a run that was killed
            if event.get("event") == "eval" and event.get("layers"):
                evals[event["step"]] = event  # of steps that were done twice, the later line counts
    evals = [evals[step] for step in sorted(evals)]
    if not evals:
        sys.exit(f"bits_history.sh: {run}: no evaluation is in its log.jsonl yet; train.eval_every says when there is one")
    layers = [l["name"] for l in evals[0]["layers"] if "weight_bits" in l]
    data = os.path.join(work, f"{n}.txt")
    with open(data, "w") as out:
        for e in evals:
            bits = {l["name"]: l["weight_bits"] for l in e["layers"] if "weight_bits" in l}
            print(e["epoch"], 100 * e["test_error"], 100 * e["bops"] / e["w8a8_bops"], e.get("mean_gated_bits", "NaN"),
                  *(bits[name] for name in layers), file=out)
    last = evals[-1]
    name = os.path.basename(os.path.abspath(run)) + (f", penalty {last['penalty']:.2g}" if "penalty" in last else "")
    top = max(8, max(max(l["weight_bits"] for l in e["layers"] if "weight_bits" in l) for e in evals))
    # Lines of layers at the same bit-length are drawn beside each other, not on top.
    shift = lambda i: 0.07 * (i - (len(layers) - 1) / 2)
    curves = [f"{quoted(data)} using 1:(${i + 5}+({shift(i):.3f})) with linespoints lc rgb '{colours[i % 8]}' pt {i % 8 + 4} ps 0.7 "
              f"lw 2 title {quoted(layer)} noenhanced" for i, layer in enumerate(layers)]
    if "mean_gated_bits" in last:
        curves.append(f"{quoted(data)} using 1:4 with lines dt 2 lw 2 lc rgb '#444444' title 'mean, gates'")
    script += panel(0.06, 0.34, 1.03)
    script += [f"set title {quoted(name)} noenhanced", "unset y2tics", "unset y2label", "set border 3", "set xrange [0:*]",
               "set ylabel 'weight bits'", f"set yrange [0:{top + 0.5}]", f"set ytics {1 if top <= 8 else 8}",
               "plot " + ", ".join(curves)]
    summary = f"at the end {100 * last['test_error']:.2f} % error, {last['mean_weight_bits']:.2f} bits, " \
              f"{100 * last['bops'] / last['w8a8_bops']:.0f} % of 8/8's BOPs"
    script += panel(0.58, 0.83, 1.22)
    script += [f"set title {quoted(summary)} noenhanced", "set ylabel 'test error, %'", "set ytics auto", "set yrange [0:*]",
               "set y2label 'BOPs, % of 8/8'", "set y2range [0:*]", "set y2tics", "set border 11",
               f"plot {quoted(data)} using 1:2 with linespoints pt 7 ps 0.7 lw 2 lc rgb '{colours[1]}' title 'test error', "
               f"{quoted(data)} using 1:3 axes x1y2 with linespoints pt 5 ps 0.7 lw 2 lc rgb '{colours[0]}' title 'BOPs'"]
with open(os.path.join(work, "script"), "w") as out:
    print("\n".join(script + ["unset multiplot"]), file=out)
END
gnuplot -e "picture='$work/picture'" "$work/script"
mv "$work/picture" "$picture"
