"""Reads runs and checkpoints of srq into numpy arrays.

    import srq
    run = srq.load("runs/w2a2")             # the folder of a run, or a checkpoint file
    layer = run.layers["conv2"]
    layer.weight_codes                      # integers, [out][in / groups][kernel height][kernel width]
    layer.dequantized_weight                # what the network computes with: step size times point of the code
    run.log["eval"]["test_error"]           # one number for each evaluation
    run.config["train"]["seed"]
    run.evaluation                          # {"error": 0.0093, "loss": 0.031, "count": 10000}, or None

This module needs h5py and numpy only. It opens files for reading, closes them before `load` returns, and never writes.
It reads format versions 1 and 2 of checkpoints (docs/checkpoint-format.md), and logs and configurations that were
copied without their checkpoints.
"""
import dataclasses
import hashlib
import json
import os
import re

import h5py
import numpy as np

__all__ = ["load", "Run", "Layer", "BitsHistory", "FormatError", "parse_config", "read_log", "content_digest"]
VERSIONS = (1, 2)


class FormatError(ValueError):
    """A file is not what this module reads, or it was damaged. The message names the file and the place."""


@dataclasses.dataclass
class Layer:
    """A layer of a checkpoint. What a layer does not have is None."""

    name: str
    type: str
    """The operator: "conv", "dense", "batch_norm", "quantize", ..."""
    index: int
    """The position of the layer in the network."""
    method: str = None
    """The quantization method, if the layer quantizes its weights or (type "quantize") its output."""
    bits: int = None
    """The bit-length in evaluation."""
    trained_bits: int = None
    """The bit-length of the grid in training; it is larger than `bits` if gates have closed for good."""
    smallest_code: int = None
    largest_code: int = None
    """The range of the codes of the grid in evaluation."""
    weight: np.ndarray = None
    """float32, as trained: [out][in / groups][kernel height][kernel width] or [out][in]."""
    weight_mask: np.ndarray = None
    """bool, in the shape of `weight`: True for each weight that pruning kept."""
    weight_scale: np.ndarray = None
    """float32: the step size (alpha) of the weights, in a shape that broadcasts with `weight`: scalar, or [out][1]..."""
    weight_codes: np.ndarray = None
    """int8 (int16 if codes are larger): the integer code of each weight."""
    dequantized_weight: np.ndarray = None
    """float32: the weights that evaluation uses. They are `weight` itself if the layer is not quantized."""
    activation_scale: np.float32 = None
    """The step size of the activations (type "quantize")."""
    points: np.ndarray = None
    """float32, one for each code: the points of the grid in units of the step size, if they are not the codes."""
    attributes: dict = dataclasses.field(default_factory=dict)
    """Every attribute of the layer in the file, such as its settings."""
    parameters: dict = dataclasses.field(default_factory=dict)
    """Every data set of the layer by its name in the file: "weight", "bias", "running_mean", "weight_sigma", ..."""


@dataclasses.dataclass
class BitsHistory:
    """Bit-lengths in evaluation: the initial ones and each change, in order of time. Arrays of the same length."""

    step: np.ndarray
    layer: np.ndarray
    bits: np.ndarray

    def of(self, layer):
        """The steps and the bit-lengths of one layer."""
        chosen = self.layer == layer
        return self.step[chosen], self.bits[chosen]


@dataclasses.dataclass
class Run:
    """What `load` returns."""

    path: str
    """The path that was given."""
    checkpoint: str
    """The checkpoint file, or None if the folder has none."""
    config: dict
    """The resolved configuration: groups are dictionaries, lists are lists. {} if there is none."""
    step: int = None
    """Training steps done at the checkpoint."""
    total_steps: int = None
    layers: dict = dataclasses.field(default_factory=dict)
    """Layers by name, in the order of the network."""
    mean: np.ndarray = None
    std: np.ndarray = None
    """float32 [channels]: the network reads (pixel / 255 - mean) / std. None if it reads pixel / 255 (data.normalize), or
    if an earlier version of srq wrote the checkpoint; then both are in the data set."""
    bits_history: BitsHistory = None
    evaluation: dict = None
    """Result on the test images at the checkpoint's step: "error" (0 to 1), "loss" (nats, mean), "count" (images). With
    validation images (data.validation), only best.h5 has it, at the end of the run."""
    validation: dict = None
    """The same on the validation images."""
    log: dict = dataclasses.field(default_factory=dict)
    """The log by event and name, as `read_log` returns it. {} for a checkpoint file."""
    attributes: dict = dataclasses.field(default_factory=dict)
    """All attributes of the checkpoint's root group: "data_sha256", "versions", "arithmetic", "penalty", ..."""


def load(path, check=True):
    """Reads the folder of a run or a checkpoint file, and returns a Run.

    Of a folder, the newest checkpoint is read (last.h5), and the log and the configuration. `check` compares the
    bytes and the content of the checkpoint with their digests. FormatError: a file is not of srq, of an unknown
    version, or damaged. OSError: a file cannot be read.
    """
    path = os.fspath(path)
    if not os.path.isdir(path):
        run = Run(path, path, {})
        _read_checkpoint(run, check)
        return run
    run = Run(path, _newest(path), {})
    config, log = os.path.join(path, "config.cfg"), os.path.join(path, "log.jsonl")
    if not os.path.exists(config) and not os.path.exists(log) and not run.checkpoint:
        raise FormatError(f"{path}: it is not the folder of a run: it holds no config.cfg, log.jsonl or checkpoint")
    if run.checkpoint:
        _read_checkpoint(run, check)
    if os.path.exists(config):
        with open(config, encoding="utf-8", errors="surrogateescape") as file:
            run.config = parse_config(file.read(), config)
    if os.path.exists(log):
        run.log = read_log(log)
    return run


def _newest(folder):
    last = os.path.join(folder, "last.h5")
    if os.path.exists(last):
        return last
    inside = os.path.join(folder, "checkpoints")
    steps = [n for n in (os.listdir(inside) if os.path.isdir(inside) else []) if re.fullmatch(r"\d{8,18}\.h5", n)]
    return os.path.join(inside, max(steps, key=lambda n: int(n[:-3]))) if steps else None


# --- Checkpoints


def _text(value):
    """A text of fixed or variable length, as HDF5 and h5py give it."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _plain(value):
    """An attribute as a plain Python value."""
    if isinstance(value, (bytes, str)):
        return _text(value)
    return value.item() if isinstance(value, np.generic) else value


def _check_bytes(path):
    """Compares the bytes of a file with the digest in its trailer, if it has one, before HDF5 interprets them."""
    with open(path, "rb") as file:
        data = file.read()
    content, trailer = data[:-256], data[-256:]
    if not trailer.startswith(b"\nsrq-raw-sha256 1 "):
        return  # an older file, or one that another program has changed
    size, *spans, digest = trailer.split()[2:]
    a, b, c, d = map(int, spans)
    parts = content[:a], content[a + b : c] if d else content[a + b :], content[c + d :] if d else b""
    if int(size) != len(content) or hashlib.sha256(b"".join(parts)).hexdigest().encode() != digest:
        raise FormatError(f"{path}: it is damaged: its bytes are not those that were written")


def _read_checkpoint(run, check):
    try:
        if check:
            _check_bytes(run.checkpoint)
        with h5py.File(run.checkpoint, "r") as file:
            _check_format(run.checkpoint, file, check)
            _read_file(run, file)
    except FormatError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise FormatError(f"{run.checkpoint}: a part of the checkpoint is missing or of another kind: {error}") from error


def _check_format(path, file, check):
    format, version = _text(file.attrs.get("format", "")), file.attrs.get("version", 0)
    if format != "srq-checkpoint":
        raise FormatError(f'{path}: it is not a checkpoint of srq: the attribute "format" is "{format}"')
    if version not in VERSIONS:
        raise FormatError(f"{path}: version {version} of the format, but this module reads versions 1 and 2")
    _refuse_outside(path, file)
    if not check or version == 1:
        return
    if content_digest(file) != _text(file.attrs.get("content_sha256", "")):
        raise FormatError(f"{path}: the content does not match its digest; the file was changed or damaged")


def _refuse_outside(path, group, depth=0):
    """Everything must be in the file itself, under one name: a link or external storage would make another file's bytes
    weights."""
    for name in group:
        where = f"{path}: {group.name.rstrip('/')}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink) or depth > 16:
            raise FormatError(f"{where} is a link to somewhere else, which a checkpoint does not have")
        node = group[name]
        if isinstance(node, h5py.Group):
            _refuse_outside(path, node, depth + 1)
        elif isinstance(node, h5py.Dataset) and (node.external or node.is_virtual):
            raise FormatError(f"{where} is stored in another file, which a checkpoint does not have")


def _read_file(run, file):
    run.attributes = {name: _plain(value) for name, value in file.attrs.items()}
    run.step, run.total_steps = run.attributes["step"], run.attributes["total_steps"]
    run.config = parse_config(_text(file["config"][()]), run.checkpoint)
    run.evaluation, run.validation = _result(run, "test"), _result(run, "validation")
    if "input" in file:
        run.mean, run.std = _read_statistics(run, file["input"])
    groups = sorted(file["layers"].items(), key=lambda item: item[1].attrs["index"])
    run.layers = {name: _read_layer(name, group) for name, group in groups}
    if "bits_history" in file:
        history = file["bits_history"]
        names = np.array([_text(name) for name in history["layer"][()]], dtype=str)
        run.bits_history = BitsHistory(history["step"][()], names, history["bits"][()])


def _result(run, images):
    if f"{images}_error" not in run.attributes:
        return None
    return {name: run.attributes[f"{images}_{name}"] for name in ("error", "loss", "count")}


def _read_statistics(run, group):
    mean, std = group["mean"][()], group["std"][()]
    shape = (run.config["model"]["input"]["channels"],)
    with np.errstate(all="ignore"):
        finite = np.isfinite(1 / (255 * std)) & np.isfinite(mean / std)
    if mean.dtype != np.float32 or std.dtype != np.float32 or mean.shape != shape or std.shape != shape:
        raise FormatError(f"{run.checkpoint}: /input/mean and /input/std are not float32 numbers for {shape[0]} channels")
    if not (finite & np.isfinite(std) & (std > 0)).all():
        raise FormatError(f"{run.checkpoint}: /input/mean and /input/std: they must be finite, and std above 0")
    return mean, std


def _read_layer(name, group):
    of = {key: _plain(value) for key, value in group.attrs.items()}
    parts = {key: node[()] for key, node in group.items() if isinstance(node, h5py.Dataset)}
    layer = Layer(name, of["type"], of["index"], method=of.get("quantizer"), bits=of.get("bits"),
                  trained_bits=of.get("trained_bits"), attributes=of, parameters=parts)
    if layer.method:
        layer.smallest_code, layer.largest_code = of["smallest_code"], of["largest_code"]
    layer.weight = layer.dequantized_weight = parts.get("weight")
    layer.activation_scale = parts.get("activation_alpha")
    layer.points = parts.get("weight_points", parts.get("activation_points"))
    if "weight_mask" in parts:
        kept = np.unpackbits(parts["weight_mask"], bitorder="little", count=layer.weight.size)
        layer.weight_mask = kept.astype(bool).reshape(layer.weight.shape)
    if "weight_alpha" in parts:
        _quantize(layer, np.asarray(parts["weight_alpha"]))
    return layer


def _quantize(layer, alpha):
    """Sets codes and dequantized weights by the formulas of docs/checkpoint-format.md, in float32 as srq computes."""
    smallest, largest = layer.smallest_code, layer.largest_code
    layer.weight_scale = alpha.reshape(alpha.shape + (1,) * (layer.weight.ndim - alpha.ndim) if alpha.ndim else ())
    ratio = layer.weight / layer.weight_scale
    if layer.points is None:
        codes = np.clip(np.rint(ratio), smallest, largest)
        values = codes
    else:  # the nearest point; the lower one of two that are equally near
        place = np.searchsorted((layer.points[1:] + layer.points[:-1]) / np.float32(2), ratio)
        codes, values = place + smallest, layer.points[place]
    layer.weight_codes = codes.astype(np.int8 if -128 <= smallest and largest <= 127 else np.int16)
    layer.dequantized_weight = layer.weight_scale * values.astype(np.float32)


def content_digest(file):
    """The digest of the content of an open checkpoint (an h5py.File), as docs/checkpoint-format.md defines it."""
    digest = hashlib.sha256()
    _add_node(digest, file, "/")
    return digest.hexdigest()


def _add_node(digest, node, path):
    if isinstance(node, h5py.Dataset):
        _add_data(digest, f"data {path}", node.dtype, node.shape, node[()])
    else:
        digest.update(f"group {path}\n".encode())
    for name in sorted(node.attrs, key=str.encode):
        if path != "/" or name != "content_sha256":
            kind = node.attrs.get_id(name)
            _add_data(digest, f"attribute {name}", kind.dtype, kind.shape, node.attrs[name])
    if not isinstance(node, h5py.Dataset):
        for name in sorted(node, key=str.encode):
            _add_node(digest, node[name], ("" if path == "/" else path) + "/" + name)


def _add_data(digest, line, dtype, shape, value):
    is_text = dtype.kind in "SO"
    size = "x".join(str(n) for n in shape) if shape else "scalar"
    digest.update(f"{line} {'text' if is_text else dtype.name} {size}\n".encode())
    if is_text:
        for text in np.asarray(value, dtype=object).reshape(-1):
            raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
            digest.update(raw.split(b"\0")[0] + b"\0")
    else:
        digest.update(np.ascontiguousarray(value, dtype=dtype.newbyteorder("<")).tobytes())


# --- The log

_WORDS = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def read_log(path):
    """Reads a log.jsonl. Returns a dictionary {event: {name: array}}.

    Arrays of one event have the same length, one element for each line; a number that a line does not have is NaN, a
    text "". Members of an object are in a dictionary: log["step"]["slowest"]["rank"]. The list of layers of an
    evaluation is a dictionary by layer: log["eval"]["layers"]["conv1"]["weight_bits"]. Lists of numbers are rows of a
    matrix, filled up with NaN. If a resumed run did steps again, only the later `step` and `eval` lines count. An
    incomplete last line and lines that are not JSON are left out.
    """
    lines = {}
    with open(path, "rb") as file:
        for raw in file:
            line = _parse_line(raw) if raw.endswith(b"\n") else None
            if line:
                _add_line(lines, line)
    return {event: _columns(entries) for event, entries in lines.items()}


def _parse_line(raw):
    text = raw.decode("utf-8", "surrogateescape")
    line = _parse_json(text)
    if line is None:  # srq writes NaN and infinities as C does
        line = _parse_json(re.sub(r'"(?:\\.|[^"\\])*"|-?\b(?:nan|inf)\b', lambda m: _WORDS.get(m[0], m[0]), text))
    return line if isinstance(line, dict) and isinstance(line.get("event"), str) else None


def _parse_json(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _add_line(lines, line):
    event, step = line.pop("event"), line.get("step")
    if event in ("step", "eval", "resume"):
        if type(step) is not int:
            return
        # What comes after the place of a resume, or is done again, was lost.
        for kind in ("step", "eval") if event == "resume" else (event,):
            earlier = lines.get(kind, [])
            while earlier and earlier[-1]["step"] > (step if event == "resume" else step - 1):
                earlier.pop()
    lines.setdefault(event, []).append(line)


def _columns(entries):
    names = dict.fromkeys(name for entry in entries for name in entry)
    return {name: _column([entry.get(name) for entry in entries]) for name in names}


def _column(values):
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, dict) for value in given):
        return _columns([value or {} for value in values])
    if given and all(isinstance(value, list) for value in given):
        return _column_of_lists([value or [] for value in values])
    if given and all(isinstance(value, str) for value in given):
        return np.array([value or "" for value in values], dtype=str)
    if len(given) == len(values) and given and all(type(value) is int and abs(value) < 2**63 for value in given):
        return np.array(values, dtype=np.int64)
    if all(_is_number(value) for value in given):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return _objects(values)


def _column_of_lists(values):
    items = [item for value in values for item in value]
    if items and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return _columns([{item["name"]: item for item in value} for value in values])
    if not all(_is_number(item) for item in items):
        return _objects(values)
    width = max(len(value) for value in values)
    return np.array([value + [np.nan] * (width - len(value)) for value in values], dtype=np.float64)


def _is_number(value):
    return isinstance(value, (int, float)) and not (isinstance(value, int) and abs(value) >= 2**63)


def _objects(values):
    """One element for each value, whatever it is."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# --- Configurations

_TOKEN = re.compile(
    r"(?P<skip>\s+|#[^\n]*|//[^\n]*|/\*.*?\*/)"
    r'|(?P<text>"(?:\\.|[^"\\])*")'
    r"|(?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)L{0,2}(?![\w.]))"
    r"|(?P<name>[A-Za-z*][\w*-]*)"
    r"|(?P<sign>[=:;,{}()\[\]])",
    re.S,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)", re.S)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a", "b": "\b"}


def parse_config(text, name="configuration"):
    """Parses a configuration in libconfig syntax without @include, such as config.cfg of a run.

    Groups become dictionaries, arrays and lists become lists. `name` is the file in messages of FormatError.
    """
    return _Parser(text, name).settings("")


def _unquote(token):
    def character(match):
        code = match[1]
        return chr(int(code[1:], 16)) if code[0] == "x" and len(code) == 3 else _ESCAPES.get(code, code)

    return _ESCAPE.sub(character, token[1:-1])


class _Parser:
    def __init__(self, text, name):
        self.name, self.tokens, self.at, place = name, [], 0, 0
        while place < len(text):
            match = _TOKEN.match(text, place)
            line = text.count("\n", 0, place) + 1
            if not match:
                raise FormatError(f"{name}:{line}: {text[place:place + 20]!r} is not part of a configuration")
            if match.lastgroup != "skip":
                self.tokens.append((match.lastgroup, match[0], line))
            place = match.end()
        self.tokens.append(("end", "", text.count("\n") + 1))

    def next(self, *expected):
        kind, token, line = self.tokens[self.at]
        if expected and token not in expected and kind not in expected:
            raise FormatError(f"{self.name}:{line}: found {token!r}, expected {' or '.join(expected)}")
        self.at += 1
        return kind, token

    def found(self, *tokens):
        return self.tokens[self.at][1] in tokens and self.tokens[self.at][0] == "sign"

    def settings(self, end):
        group = {}
        while self.tokens[self.at][0] == "name":
            name = self.next()[1]
            self.next("=", ":")
            group[name] = self.value()
            if self.found(";", ","):
                self.next()
        self.next(end or "end")
        return group

    def values(self, end):
        items = []
        while not self.found(end):
            items.append(self.value())
            if not self.found(end):
                self.next(",")
        self.next(end)
        return items

    def value(self):
        kind, token = self.next("text", "number", "name", "{", "(", "[")
        if kind == "text":
            parts = [_unquote(token)]
            while self.tokens[self.at][0] == "text":  # neighbouring texts are one text
                parts.append(_unquote(self.next()[1]))
            return "".join(parts)
        if kind == "number":
            digits = token.rstrip("L")
            if re.fullmatch(r"[-+]?(0[xX][0-9a-fA-F]+|\d+)", digits):
                return int(digits, 16) if "x" in digits.lower() else int(digits)
            return float(digits)
        if kind == "name":
            if token.lower() not in ("true", "false"):
                line = self.tokens[self.at - 1][2]
                raise FormatError(f"{self.name}:{line}: found {token!r}, expected a value")
            return token.lower() == "true"
        return self.settings("}") if token == "{" else self.values({"(": ")", "[": "]"}[token])
