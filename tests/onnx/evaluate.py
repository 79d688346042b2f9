#!/usr/bin/env python3
"""Evaluates ONNX models of `srq export` with numpy, without ONNX Runtime or the package onnx.

The bytes are read by the rules of protocol buffers and the field numbers of onnx.proto; operators compute what
https://onnx.ai/onnx/operators/ defines, and Quant what the page of QONNX defines (qonnx.custom_op.general.Quant). It is
written from these pages alone, to find what srq writes otherwise than others read it.

usage: evaluate.py DATA.h5 COUNT MODEL PREDICTIONS.json exact|close|same [MODEL ...]
PREDICTIONS is of `srq predict ... DATA.h5 --logits --json`. Of the first COUNT images, or all with 0, logits must be
equal bit for bit (exact), differ by less than 1e-4 (close), or give equal predictions (same); with same:4, all Quant
nodes have 4 bits. If the package onnx is
installed, its checker must accept models of operator sets that it knows.
"""
import json
import struct
import sys

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# --- Protocol buffers


def fields(data):
    """(number, value) of the fields of a message: int, bytes, or float32."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            value = varint()
            value -= (value >> 63) << 64
        elif kind == 2:
            size = varint()
            value = data[at:at + size]
            at += size
        elif kind == 5:
            value = struct.unpack("<f", data[at:at + 4])[0]
            at += 4
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, value


def message(data, names, many=()):
    found = {name: [] for name in many}
    for number, value in fields(data):
        name = names.get(number)
        assert name, f"field {number} is not one of {names}"
        if name in many:
            found[name].append(value)
        else:
            found[name] = value
    return found


TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 21: "uint4", 22: "int4", 26: "int2"}


def tensor(data):
    t = message(data, {1: "dims", 2: "type", 8: "name", 9: "raw"}, ["dims"])
    kind, count = TYPES[t["type"]], int(np.prod(t["dims"], dtype=np.int64))
    if kind == "int2":
        raw = np.frombuffer(t["raw"], np.uint8)
        assert len(raw) == (count + 3) // 4
        values = (raw[:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3).reshape(-1)[:count].astype(np.int8)
        values = np.where(values > 1, values - 4, values).astype(np.int8)
    elif kind in ("uint4", "int4"):
        raw = np.frombuffer(t["raw"], np.uint8)
        assert len(raw) == (count + 1) // 2
        values = np.stack([raw & 15, raw >> 4], 1).reshape(-1)[:count].astype(np.int16)
        values = np.where(values > 7, values - 16, values) if kind == "int4" else values
        values = values.astype(np.int8 if kind == "int4" else np.uint8)
    else:
        values = np.frombuffer(t["raw"], np.dtype(kind).newbyteorder("<"))
        assert len(values) == count, t["name"]
    return t["name"].decode(), values.reshape(t["dims"])


def attribute(data):
    a = message(data, {1: "name", 2: "f", 3: "i", 4: "s", 7: "floats", 8: "ints", 20: "type"}, ["floats", "ints"])
    return a["name"].decode(), {1: a.get("f"), 2: a.get("i"), 3: a.get("s"), 6: a["floats"], 7: a["ints"]}[a["type"]]


class Model:
    def __init__(self, path):
        with open(path, "rb") as file:
            m = message(file.read(), {1: "ir", 2: "producer", 3: "version", 5: "model", 6: "doc", 7: "graph", 8: "sets", 14: "properties"},
                        ["sets", "properties"])
        self.opsets = {s.get("domain", b"").decode(): s["version"] for s in (message(s, {1: "domain", 2: "version"}) for s in m["sets"])}
        self.ir = m["ir"]
        self.properties = {p["key"].decode(): p["value"].decode() for p in (message(p, {1: "key", 2: "value"}) for p in m["properties"])}
        g = message(m["graph"], {1: "nodes", 2: "name", 5: "constants", 10: "doc", 11: "inputs", 12: "outputs"}, ["nodes", "constants", "inputs", "outputs"])
        self.constants = dict(map(tensor, g["constants"]))
        self.nodes = []
        names = {1: "inputs", 2: "outputs", 3: "name", 4: "op", 5: "attributes", 6: "doc", 7: "domain"}
        for data in g["nodes"]:
            node = message(data, names, ["inputs", "outputs", "attributes"])
            node["attributes"] = dict(map(attribute, node["attributes"]))
            node["inputs"] = [i.decode() for i in node["inputs"]]
            node["outputs"] = [o.decode() for o in node["outputs"]]
            self.nodes.append(node)
        self.input = message(g["inputs"][0], {1: "name", 2: "type"})["name"].decode()
        self.output = message(g["outputs"][0], {1: "name", 2: "type"})["name"].decode()
        made = list(self.constants) + [self.input] + [n["outputs"][0] for n in self.nodes]
        assert len(made) == len(set(made)), "two tensors have one name"

    def run(self, image):
        values = dict(self.constants)
        values[self.input] = image
        for node in self.nodes:
            op = (QUANT if node.get("domain") else OPERATORS)[node["op"].decode()]
            values[node["outputs"][0]] = op(node["attributes"], *(values[name] for name in node["inputs"]))
        return values[self.output]


# --- Operators


def windows(a, x, fill):
    """[N][C][out height][out width][k0][k1]"""
    kernel, strides, pads = a["kernel_shape"], a["strides"], a["pads"]
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=fill)
    return sliding_window_view(x, kernel, (2, 3))[:, :, ::strides[0], ::strides[1]]


def conv(a, x, w, kind):
    groups, out = a.get("group", 1), []
    v, channels = windows(a, x, 0), w.shape[1]
    each = w.shape[0] // groups
    for g in range(groups):
        part = v[:, g * channels:(g + 1) * channels]
        out.append(np.einsum("nchwij,ocij->nohw", part.astype(kind), w[g * each:(g + 1) * each].astype(kind), optimize=True))
    return np.concatenate(out, 1)


def conv_float(a, x, w, b=None):
    y = conv(a, x, w, np.float64)
    return (y if b is None else y + b[:, None, None]).astype(np.float32)


def conv_integer(a, x, w, x_zero, w_zero):
    return conv(a, x.astype(np.int64) - int(x_zero), w.astype(np.int64) - int(w_zero), np.int64).astype(np.int32)


def matmul_integer(a, x, w, x_zero, w_zero):
    return ((x.astype(np.int64) - int(x_zero)) @ (w.astype(np.int64) - int(w_zero))).astype(np.int32)


def gemm(a, x, w, b=None):
    y = x.astype(np.float64) @ (w.T if a.get("transB") else w).astype(np.float64)
    return (y if b is None else y + b).astype(np.float32)


def cast(a, x):
    return x.astype(TYPES[a["to"]])


def reshape(a, x, shape):
    return x.reshape([x.shape[i] if side == 0 else side for i, side in enumerate(shape)])


def slices(a, x, starts, ends, axes, steps):
    at = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        at[axis] = slice(start, end, step)
    return x[tuple(at)]


def pad(a, x, pads):
    n = x.ndim
    return np.pad(x, [(pads[i], pads[n + i]) for i in range(n)])


def quantize_linear(a, x, scale, zero):
    limits = np.iinfo(zero.dtype)
    return np.clip(np.rint(x / scale) + float(zero), limits.min, limits.max).astype(zero.dtype)


def dequantize_linear(a, x, scale, zero=0):
    scale = scale if scale.ndim == 0 else scale.reshape([-1 if i == a.get("axis", 1) else 1 for i in range(x.ndim)])
    return (x.astype(np.int32) - np.int32(zero)).astype(np.float32) * scale


def average_pool(a, x):
    assert a["count_include_pad"] == 1
    return windows(a, x, 0).astype(np.float64).mean((-2, -1)).astype(np.float32)


def max_pool(a, x):
    least = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    return windows(a, x, least).max((-2, -1))


def quant(a, x, scale, zero, bits):
    """QONNX: round(x / scale + zero) in the range of `bits`, then back."""
    assert a["rounding_mode"] == b"ROUND"
    signed, narrow, bits = a["signed"], a["narrow"], float(bits)
    least = -2.0**(bits - 1) + narrow if signed else 0.0
    most = 2.0**(bits - 1) - 1 if signed else 2.0**bits - 1 - narrow
    return ((np.clip(np.rint(x / scale + zero), least, most) - zero) * scale).astype(np.float32)


QUANT = {"Quant": quant}
OPERATORS = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "Cast": cast,
    "Clip": lambda a, x, low, high=None: np.maximum(x, low) if high is None else np.minimum(np.maximum(x, low), high),
    "Concat": lambda a, *x: np.concatenate(x, a["axis"]),
    "Conv": conv_float,
    "ConvInteger": conv_integer,
    "CumSum": lambda a, x, axis: np.cumsum(x, int(axis), dtype=x.dtype),
    "DequantizeLinear": dequantize_linear,
    "Div": lambda a, x, y: x // y if x.dtype.kind == "i" and (x >= 0).all() else x / y,
    "Flatten": lambda a, x: x.reshape(x.shape[0], -1),
    "Gather": lambda a, x, i: np.take(x, i, a["axis"]),
    "Gemm": gemm,
    "GlobalAveragePool": lambda a, x: x.astype(np.float64).mean((2, 3), keepdims=True).astype(np.float32),
    "LeakyRelu": lambda a, x: np.where(x < 0, np.float32(a["alpha"]) * x, x),
    "MatMul": lambda a, x, y: (x.astype(np.float64) @ y.astype(np.float64)).astype(np.float32),
    "MatMulInteger": matmul_integer,
    "MaxPool": max_pool,
    "Mod": lambda a, x, y: x % y,
    "Mul": lambda a, x, y: x * y,
    "Pad": pad,
    "QuantizeLinear": quantize_linear,
    "Relu": lambda a, x: np.maximum(x, 0),
    "Reshape": reshape,
    "Round": lambda a, x: np.rint(x),
    "Sigmoid": lambda a, x: (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32),
    "Slice": slices,
    "Sub": lambda a, x, y: x - y,
}


def check(path, model):
    """The checker of the package onnx, if it is new enough for the model."""
    try:
        import onnx
    except ImportError:
        return "skipped (python3-onnx is not installed)"
    if model.ir > onnx.IR_VERSION or model.opsets[""] > onnx.defs.onnx_opset_version():
        return f"skipped (onnx {onnx.__version__} knows no operator set {model.opsets['']})"
    onnx.checker.check_model(onnx.load(path), full_check=len(model.opsets) == 1)
    return "passed"


def compare(path, pixels, predictions, how):
    model = Model(path)
    checked = check(path, model)
    n = len(pixels)
    with open(predictions) as file:
        said = json.load(file)
    quants = [node for node in model.nodes if node["op"] == b"Quant"]
    how, _, bits = how.partition(":")
    assert not bits or {int(model.constants[node["inputs"][3]]) for node in quants} == {int(bits)}, "other bit-lengths"
    assert all(node["domain"] == b"qonnx.custom_op.general" for node in quants)
    if "qonnx.custom_op.general" in model.opsets:  # one image at a time, as the shape of its input says
        found = np.concatenate([model.run(pixels[i:i + 1].astype(np.float32)) for i in range(n)])
    else:
        found = model.run(pixels)
    expected = np.array([image["logits"] for image in said["images"][:n]], np.float32)
    assert found.dtype == np.float32 and found.shape == expected.shape, (found.dtype, found.shape)
    assert json.loads(model.properties["classes"]) == said["classes"]
    differ = int((found.argmax(1) != expected.argmax(1)).sum())
    other = int((found != expected).any(1).sum())
    largest = float(abs(found.astype(np.float64) - expected).max())
    print(f"{path}: of {n} images, {differ} predictions differ, {other} have other logits, by at most {largest:.3g}; checker {checked}")
    assert differ == 0, "predictions differ"
    assert how != "exact" or other == 0, "logits have other bits"
    assert how != "close" or largest < 1e-4, "logits differ"


def main(data, count, *tasks):
    import h5py

    with h5py.File(data, "r") as file:
        pixels = file["test/images"][:int(count) or None].transpose(0, 3, 1, 2)
    for i in range(0, len(tasks), 3):
        compare(tasks[i], pixels, *tasks[i + 1:i + 3])


if __name__ == "__main__":
    main(*sys.argv[1:])
