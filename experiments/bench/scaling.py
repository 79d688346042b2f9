#!/usr/bin/env python3
"""usage: scaling.py model NETWORK.json [--gbit G --latency-us L] [--ranks P,P,...] [--shards V] [--wire float32|bfloat16]
       scaling.py plot OUT.svg TITLE=NETWORK.json... [--nodes-max 1024]
Computes the time of a training step on P ranks, one rank per node, from measurements on one rank (formulas: docs/scaling.md).
NETWORK.json is the output of `srq bench step --shards 1 --json` for the images of one shard on one rank."""
import argparse, json, subprocess, sys, tempfile


class Network:
    def __init__(self, path):
        d = json.load(open(path))
        self.name, self.batch = d["model"], d["batch"]
        layers = d["layers"]
        self.prepare = sum(l["prepare"] for l in layers)
        self.forward = sum(l["forward"] for l in layers)
        # In the order of the backward pass: seconds, and bytes of gradients that are there after them.
        self.backward = [(l["backward"] + l["backward_data"] + l["backward_weights"], 4 * l.get("weights", 0))
                         for l in reversed(layers)]
        self.bytes = sum(b for _, b in self.backward)
        self.end = d["parts"]["finish"] + d["parts"]["optimize"] + d["parts"]["unpack"]  # shared by ranks

    def buckets(self, least):
        """(seconds into the backward pass, bytes) of each bucket, as core/finish.c makes them."""
        at = held = 0
        out = []
        for seconds, size in self.backward:
            at += seconds
            held += size
            if held >= least:
                out.append((at, held))
                held = 0
        if held:
            out.append((at, held))
        return out


def step(net, ranks, shards, latency, bandwidth, wire=1.0, bucket=4e6, overlap=True):
    """Seconds of a step with `shards` shards of the network's batch, and its exposed communication. bandwidth: bytes a
    second that a node sends while it receives as many; wire: share of the bytes that gradients cross as."""
    own = -(-shards // ranks)  # of the rank that has most
    shard = net.forward + sum(s for s, _ in net.backward)
    share = (ranks - 1) / ranks
    start = net.prepare + own * net.forward + (own - 1) * sum(s for s, _ in net.backward)
    end_of_compute = net.prepare + own * shard
    link = 0.0
    for at, size in net.buckets(bucket):
        ready = start + at if overlap else end_of_compute
        # Messages to all others, one after another; of each node that a rank is left with, one where P divides V.
        link = max(link, ready) + ((ranks - 1) * latency + share * size * wire / bandwidth if ranks > 1 else 0)
    exposed = max(0.0, link - end_of_compute)
    gather = (ranks - 1) * latency * len(net.buckets(bucket)) + share * net.bytes / bandwidth if ranks > 1 else 0
    return end_of_compute + exposed + net.end / ranks + gather, exposed + gather


def model(a):
    net = Network(a.network)
    latency, bandwidth = a.latency_us * 1e-6, a.gbit * 1e9 / 8
    wire = 0.5 if a.wire == "bfloat16" else 1.0
    print("| ranks | ms a step | images/s | exposed communication | efficiency |\n|---|---|---|---|---|")
    alone = step(net, 1, a.shards, latency, bandwidth)[0]
    for p in a.ranks:
        t, c = step(net, p, a.shards, latency, bandwidth, wire, a.bucket_mb * 1e6, not a.no_overlap)
        print(f"| {p} | {1e3 * t:.1f} | {net.batch * a.shards / t:.1f} | {100 * c / t:.0f} % | {100 * alone / p / t:.0f} % |")


LINKS = [("1 Gbit/s", 1, 50), ("10 Gbit/s", 10, 15), ("25 Gbit/s", 25, 5), ("100 Gbit/s", 100, 2)]
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]


def speedups(net, shards, gbit, latency_us, nodes, wire=1.0):
    base = step(net, 1, shards, 0, 1)[0]
    return [(p, base / step(net, p, shards, latency_us * 1e-6, gbit * 1e9 / 8, wire)[0]) for p in nodes]


def stops(net, shards, gbit, latency_us, wire=1.0):
    """The largest number of nodes, among powers of two, with a parallel efficiency (speed-up / nodes) of at least one half."""
    most = [p for p, s in speedups(net, shards, gbit, latency_us, [2 ** i for i in range(11) if 2 ** i <= shards], wire)
            if s >= 0.5 * p]
    return max(most)


def plot(a):
    nodes = [2 ** i for i in range(11) if 2 ** i <= a.nodes_max]
    width = 460 * len(a.networks)
    lines = [f'set terminal svg size {width},430 font "Helvetica,13" background "#ffffff"', f'set output "{a.out}"',
             "set logscale xy 2", "set grid lc '#dddddd'", 'set xlabel "nodes, one rank each"', 'set ylabel "times faster than one node"',
             "set key left top", f"set multiplot layout 1,{len(a.networks)}", f"set xrange [1:{a.nodes_max}]",
             f"set yrange [0.5:{a.nodes_max}]", 'set format x "%.0f"', 'set format y "%.6g"']
    for item in a.networks:
        title, path = item.split("=", 1)
        net = Network(path)
        lines.append(f'set title "{title}, {a.nodes_max} shards of {net.batch}"')
        curves = ['x with lines lc "#999999" dt 2 title "ideal"']
        for i, (name, gbit, us) in enumerate(LINKS):
            block = f"$d{a.networks.index(item)}_{i}"
            lines += [f"{block} << EOD"] + [f"{p} {s:.6g}" for p, s in speedups(net, a.nodes_max, gbit, us, nodes)] + ["EOD"]
            curves.append(f'{block} with linespoints lw 2 lc "{COLOURS[i]}" pt {4 + i} title "{name}"')
            half = stops(net, a.nodes_max, gbit, us, 0.5)
            print(f"{title}, {name}: parallel efficiency of at least one half up to {stops(net, a.nodes_max, gbit, us)} nodes, with train.wire = bfloat16 {half}")
        lines.append("plot " + ", ".join(curves))
    with tempfile.NamedTemporaryFile("w", suffix=".gp") as script:
        script.write("\n".join(lines) + "\nunset multiplot\n")
        script.flush()
        subprocess.run(["gnuplot", script.name], check=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="what", required=True)
    m = sub.add_parser("model")
    m.add_argument("network")
    m.add_argument("--gbit", type=float, default=10)
    m.add_argument("--latency-us", type=float, default=15)
    m.add_argument("--ranks", type=lambda t: [int(x) for x in t.split(",")], default=[1, 2, 4, 8])
    m.add_argument("--shards", type=int, default=8)
    m.add_argument("--wire", choices=["float32", "bfloat16"], default="float32")
    m.add_argument("--bucket-mb", type=float, default=4)
    m.add_argument("--no-overlap", action="store_true")
    m.set_defaults(run=model)
    g = sub.add_parser("plot")
    g.add_argument("out")
    g.add_argument("networks", nargs="+")
    g.add_argument("--nodes-max", type=int, default=1024)
    g.set_defaults(run=plot)
    a = p.parse_args()
    a.run(a)


main()
