#!/usr/bin/python3
"""The formulas of SRQ in PyTorch on one thread, with all 2^b probabilities of every element, and autograd.

usage: quantizer_vs_torch.py --bits B --alpha A [--elements N] [--seconds S]
Prints one JSON object. It gives, for each estimator, the elements per second of forward and backward together (the best of
the calls in S seconds, at least two calls). They are measured on the whole tensor at once, as in a model, and in pieces
that fit into the caches, where PyTorch is fastest. Weights are normal with standard deviation 0.05 on a signed grid, and
sigma = alpha / 3, as in `srq bench quantizer`. If the tensors of 2^b probabilities would not fit into a quarter of the free
memory, fewer elements are used; their number is printed. Needs Debian's python3-torch.
"""
import argparse
import json
import time

import torch

TENSORS = 16  # tensors of elements x (2^b + 1) floats that autograd has at its peak, rounded up
PIECE = 2**18  # probabilities of a piece: 1 MB for each of those tensors


def quantize(x, alpha, sigma, codes, estimator):
    """Hard forward; the backward of docs/method.md by autograd."""
    grid = alpha * codes
    edges = torch.cat([grid - alpha / 2, grid[-1:] + alpha / 2])
    s = torch.sigmoid((edges - x.unsqueeze(-1)) / sigma)
    r = (s[:, 1:] - s[:, :-1]) / (s[:, -1:] - s[:, :1] + 1e-20)
    i = r.argmax(-1)
    if estimator == "argmax":
        chosen = r.gather(-1, i.unsqueeze(-1)).squeeze(-1)
        return (1 + chosen - chosen.detach()) * grid[i]
    return grid[i] + ((r - r.detach()) * grid).sum(-1)


def memory_available():
    with open("/proc/meminfo") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def rate(estimator, elements, piece, bits, step, seconds):
    x = 0.05 * torch.randn(elements)
    dy = torch.randn(elements)
    alpha = torch.tensor(step, requires_grad=True)
    sigma = torch.tensor(step / 3, requires_grad=True)
    codes = torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)).float()
    pieces = [p.clone().requires_grad_() for p in x.split(piece)]
    best, calls, start = float("inf"), 0, time.perf_counter()
    while calls < 2 or time.perf_counter() - start < seconds:
        alpha.grad = sigma.grad = None
        since = time.perf_counter()
        for p, g in zip(pieces, dy.split(piece)):
            p.grad = None
            quantize(p, alpha, sigma, codes, estimator).backward(g)
        best, calls = min(best, time.perf_counter() - since), calls + 1
    assert all(torch.isfinite(p.grad).all() for p in pieces)
    return elements / best


parser = argparse.ArgumentParser()
parser.add_argument("--bits", type=int, required=True)
parser.add_argument("--alpha", type=float, required=True)
parser.add_argument("--elements", type=int, default=1000000)
parser.add_argument("--seconds", type=float, default=0.5)
options = parser.parse_args()
torch.set_num_threads(1)
torch.manual_seed(1)
room = memory_available() // 4 // (4 * TENSORS * (2**options.bits + 1))
count = max(1000, min(options.elements, room))
result = {"bits": options.bits, "elements": count}
for name in ("full", "argmax"):
    for way, piece in (("whole", count), ("pieces", PIECE // 2**options.bits)):
        result[f"{name} {way}"] = rate(name, count, piece, options.bits, options.alpha, options.seconds)
print(json.dumps(result))
