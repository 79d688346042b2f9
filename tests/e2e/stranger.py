#!/usr/bin/env python3
"""A stranger to srq: knows docs/checkpoint-format.md, h5py and numpy, and nothing else.

    stranger.py CHECKPOINT            checks it against the document
    stranger.py CHECKPOINT DATASET    also runs its network (small-lenet of tests/e2e/lib.sh, or any chain of conv, dense,
                                      relu, max_pool and quantize layers) over the test images
    stranger.py --digest CHECKPOINT   prints the digest of its content
"""
import hashlib
import sys

import h5py
import numpy as np


def texts(value):
    """Strings of a data set or attribute, as bytes without the zeros that fill them up."""
    flat = np.asarray(value, dtype=object).reshape(-1)
    return [(t.encode() if isinstance(t, str) else bytes(t)).split(b"\0")[0] for t in flat]


def add(digest, line, dtype, shape, value):
    is_text = dtype.kind in "SO"
    size = "x".join(str(n) for n in shape) if shape else "scalar"
    digest.update(f"{line} {'text' if is_text else dtype.name} {size}\n".encode())
    if is_text:
        digest.update(b"".join(t + b"\0" for t in texts(value)))
    else:
        digest.update(np.ascontiguousarray(value, dtype=dtype.newbyteorder("<")).tobytes())


def walk(digest, node, path):
    if isinstance(node, h5py.Dataset):
        add(digest, f"data {path}", node.dtype, node.shape, node[()])
    else:
        digest.update(f"group {path}\n".encode())
    for name in sorted(node.attrs, key=str.encode):
        if path == "/" and name == "content_sha256":
            continue
        kind = node.attrs.get_id(name)
        add(digest, f"attribute {name}", kind.dtype, kind.shape, node.attrs[name])
    if not isinstance(node, h5py.Dataset):
        for name in sorted(node, key=str.encode):
            walk(digest, node[name], ("" if path == "/" else path) + "/" + name)


def content_digest(file):
    digest = hashlib.sha256()
    walk(digest, file, "/")
    return digest.hexdigest()


def text(value):
    return texts(value)[0].decode()


def check(file):
    """What the document promises of every checkpoint."""
    assert text(file.attrs["format"]) == "srq-checkpoint" and file.attrs["version"] == 2
    assert text(file.attrs["content_sha256"]) == content_digest(file), "the digest does not match"
    assert 0 <= file.attrs["step"] <= file.attrs["total_steps"] and len(text(file.attrs["data_sha256"])) == 64
    assert "layers" in text(file["config"][()])
    sets = []
    file.visititems(lambda name, node: sets.append(node) if isinstance(node, h5py.Dataset) else None)
    for node in sets:
        assert node.shape == () or 0 in node.shape or node.fletcher32, f"{node.name} has no checksum"
        assert node.dtype.kind in "SO" or node.dtype in (np.float32, np.int64), f"{node.name} is {node.dtype}"
    for state in file["optimizer"].values():
        for layer, members in state.items():
            for name, node in members.items():
                assert node.shape == file["layers"][layer][name].shape, node.name


class Network:
    """Layers in order. Each reads the one before it."""

    def __init__(self, file):
        self.file = file
        self.layers = sorted(file["layers"], key=lambda n: file["layers"][n].attrs["index"])
        for before, name in zip(["input"] + self.layers, self.layers):
            assert text(file["layers"][name].attrs["inputs"]) == before, name

    def setting(self, layer, name):
        attributes = self.file["layers"][layer].attrs
        assert attributes[name + "_height"] == attributes[name + "_width"], (layer, name)
        return int(attributes[name + "_height"])

    def nearest(self, points, x, alpha):
        """Values on a grid that has points of its own, in float32; of two that are as near, the lower one."""
        return np.float64(alpha * points[np.searchsorted((points[1:] + points[:-1]) / 2, np.float32(x) / alpha)])

    def codes(self, group):
        """The integers that weights stand for, and their step size."""
        alpha = np.float64(group["weight_alpha"][()])
        alpha = alpha.reshape(alpha.shape + (1,) * (group["weight"].ndim - alpha.ndim))
        codes = np.clip(np.rint(group["weight"][:] / alpha), group.attrs["smallest_code"], group.attrs["largest_code"])
        assert len(np.unique(codes)) <= 2 ** group.attrs["bits"]
        return codes.astype(np.int8), alpha

    def weights(self, group):
        if "weight_alpha" not in group:
            return group["weight"][:].astype(np.float64)
        if "weight_points" in group:
            alpha = group["weight_alpha"][()]
            alpha = np.reshape(alpha, np.shape(alpha) + (1,) * (group["weight"].ndim - np.ndim(alpha)))
            return self.nearest(group["weight_points"][:], group["weight"][:], alpha)
        codes, alpha = self.codes(group)
        return codes * alpha

    def layer(self, name, x):
        group = self.file["layers"][name]
        kind = text(group.attrs["type"])
        if kind == "relu":
            return np.maximum(x, 0)
        if kind == "max_pool":
            k = self.setting(name, "kernel")
            n, c, h, w = x.shape
            return x[:, :, : h // k * k, : w // k * k].reshape(n, c, h // k, k, w // k, k).max((3, 5))
        if kind == "quantize":
            if "activation_alpha" not in group:
                return x
            if "activation_points" in group:
                return self.nearest(group["activation_points"][:], x, group["activation_alpha"][()])
            alpha = np.float64(group["activation_alpha"][()])
            return np.clip(np.rint(x / alpha), group.attrs["smallest_code"], group.attrs["largest_code"]) * alpha
        weight = self.weights(group)
        if kind == "dense":
            return x.reshape(len(x), -1) @ weight.T + group["bias"][:]
        assert kind == "conv", f"layer {name}: this script knows no {kind}"
        out, _, k, _ = weight.shape
        stride = self.setting(name, "stride")
        rows, columns = (x.shape[2] - k) // stride + 1, (x.shape[3] - k) // stride + 1
        y = np.zeros((len(x), out, rows, columns)) + group["bias"][:].reshape(1, out, 1, 1)
        for i in range(k):
            for j in range(k):
                part = x[:, :, i : i + rows * stride : stride, j : j + columns * stride : stride]
                y += np.einsum("nchw,oc->nohw", part, weight[:, :, i, j])
        return y

    def logits(self, x):
        for name in self.layers:
            x = self.layer(name, x)
        return x


def run(file, data):
    """Over the test images: how many answers are wrong, and the mean cross-entropy."""
    images = ((data["test/images"][:] / np.float32(255) - file["input/mean"][:]) / file["input/std"][:]).transpose(0, 3, 1, 2)
    labels = data["test/labels"][:]
    logits = Network(file).logits(images.astype(np.float64))
    wrong = int((logits.argmax(1) != labels).sum())
    logits -= logits.max(1, keepdims=True)
    loss = float(np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]))
    print(f"{wrong} of {len(labels)} wrong, loss {loss:.4f}")
    return wrong, loss, len(labels)


def main(words):
    if words[0] == "--digest":
        print(content_digest(h5py.File(words[1])))
        return
    file = h5py.File(words[0])
    check(file)
    if len(words) > 1:
        wrong, loss, count = run(file, h5py.File(words[1]))
        trained = round(file.attrs["test_error"] * count)
        assert file.attrs["test_count"] == count
        # float64 here and float32 there may round a value at the edge of a bin to the other side, and with it an image
        # whose two largest logits are nearly equal.
        assert abs(wrong - trained) <= count // 128, (wrong, trained, count)
        assert abs(loss - file.attrs["test_loss"]) <= 5e-3 * loss, (loss, file.attrs["test_loss"])


if __name__ == "__main__":
    main(sys.argv[1:])
