#!/usr/bin/env python3
"""Reads event files of TensorBoard, from the published layout alone, and compares them with what the run says itself.

    read_events.py RUN    the event files in the folder of a finished run, its log and its last checkpoint

Records are the TFRecord format with masked CRC-32C; messages are protocol buffers with the fields of event.proto,
summary.proto and histogram.proto. As in TensorBoard, the files of a folder are read in the order of their names, an
incomplete record ends a file, and a SessionLog START drops what came before from its step on.
"""
import collections
import glob
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.environ["SOURCE"], "io"))
sys.dont_write_bytecode = True
import srq  # noqa: E402

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path):
    data, at = open(path, "rb").read(), 0
    while at + 12 <= len(data):
        size, head = struct.unpack_from("<QI", data, at)
        assert head == masked_crc(data[at : at + 8]), f"{path}: checksum of a length at byte {at}"
        if at + 12 + size + 4 > len(data):
            break
        content = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked_crc(content), f"{path}: checksum at byte {at}"
        yield content
        at += 12 + size + 4


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(number, wire type, value) of each field: an integer, or the bytes of the value."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if wire == 2:
                size, at = varint(data, at)
            value, at = data[at : at + size], at + size
            assert len(value) == size, "a field ends after its message"
        yield number, wire, value


Histogram = collections.namedtuple("Histogram", "min max num sum sum_squares limits counts")


def histogram(data):
    single, lists = {}, {6: (), 7: ()}
    for number, wire, value in fields(data):
        if wire == 1:
            single[number] = struct.unpack("<d", value)[0]
        else:
            assert wire == 2 and number in lists
            lists[number] = np.frombuffer(value, "<f8")
    return Histogram(*(single.get(i, 0.0) for i in range(1, 6)), lists[6], lists[7])


def value(data):
    tag, content = None, None
    for number, wire, part in fields(data):
        if number == 1:
            tag = part.decode("utf-8", "strict")
        elif number == 2:
            assert wire == 5
            content = struct.unpack("<f", part)[0]
        elif number == 5:
            content = histogram(part)
    return tag, content


def event(data):
    """(step, kind, content) of an event."""
    step, kind, content, time = 0, None, None, 0
    for number, _, part in fields(data):
        if number == 1:
            time = struct.unpack("<d", part)[0]
        elif number == 2:
            step = part
        elif number == 3:
            kind, content = "version", part.decode()
        elif number == 5:
            kind, content = "summary", [value(inner) for n, _, inner in fields(part) if n == 1]
        elif number == 7:
            kind, content = "session", next((inner for n, _, inner in fields(part) if n == 1), 0)
    assert time > 1e9, f"time {time}"
    return step, kind, content


def read(folder):
    """{tag: [(step, value)]} in the order of the files, and the number of values that a START dropped."""
    found, dropped = collections.defaultdict(list), 0
    for path in sorted(glob.glob(os.path.join(folder, "*tfevents*"))):
        events = [event(record) for record in records(path)]
        assert events[0] == (0, "version", "brain.Event:2"), events[0]
        assert events[1][1:] == ("session", 1), events[1]
        assert all(kind == "summary" for _, kind, _ in events[2:]) and len(events) > 2
        for tag, entries in found.items():
            kept = [entry for entry in entries if entry[0] < events[1][0]]
            dropped += len(entries) - len(kept)
            found[tag] = kept
        for step, _, values in events[2:]:
            for tag, content in values:
                found[tag].append((step, content))
    return {tag: entries for tag, entries in found.items() if entries}, dropped


def flatten(columns, name):
    """Numbers of the log under the names that TensorBoard shows."""
    for key, array in columns.items():
        if isinstance(array, dict):
            yield from flatten(array, f"{name}/{key}")
        elif array.ndim == 2:
            yield from ((f"{name}/{key}/{i}", array[:, i]) for i in range(array.shape[1]))
        elif array.dtype.kind in "if":
            yield f"{name}/{key}", array


def expected_scalars(log):
    for event_name, group in (("step", "train"), ("eval", "eval")):
        columns = {key: array for key, array in log[event_name].items() if key not in ("step", "layers")}
        for tag, array in flatten(columns, group):
            yield tag, log[event_name]["step"], array
    for tag, array in flatten(log["eval"]["layers"], "layers"):
        yield tag, log["eval"]["step"], array


def check_histogram(found, values):
    values = values.astype(np.float64).ravel()
    assert found.num == values.size == found.counts.sum() and (found.min, found.max) == (values.min(), values.max())
    assert np.isclose(found.sum, values.sum(), rtol=1e-9, atol=1e-9 * values.size)
    assert np.isclose(found.sum_squares, np.square(values).sum())
    assert len(found.limits) == len(found.counts) and found.limits[-1] == found.max
    assert (np.diff(found.limits) > 0).all() and found.limits[0] >= found.min
    below = np.array([(values <= limit).sum() for limit in found.limits])
    # A value at a limit may be counted on either side.
    at_limit = np.array([np.isclose(values, limit, rtol=1e-12).sum() for limit in found.limits])
    assert (abs(np.cumsum(found.counts) - below) <= at_limit).all()


def main(path):
    run = srq.load(path)
    found, dropped = read(path)
    scalars = {tag for tag, entries in found.items() if not isinstance(entries[0][1], Histogram)}
    for tag, steps, array in expected_scalars(run.log):
        expected = [(s, v) for s, v in zip(steps.tolist(), array.astype(np.float32).tolist()) if not np.isnan(v)]
        assert found[tag] == expected, f"{tag}: {found[tag]}, the log has {expected}"
        scalars.remove(tag)
    assert not scalars, f"not in the log: {scalars}"
    assert {"train/loss", "train/error", "train/learning_rate", "eval/test_error", "eval/mean_weight_bits"} <= set(found)
    assert run.step == run.log["eval"]["step"][-1]
    alphas = []
    for name, layer in run.layers.items():
        if layer.weight is not None:
            entries = found[f"layers/{name}/weight"]
            assert [step for step, _ in entries] == run.log["eval"]["step"].tolist()
            check_histogram(entries[-1][1], layer.weight)
            if layer.method and layer.weight_scale.size > 1:
                check_histogram(found[f"layers/{name}/weight_alpha"][-1][1], layer.weight_scale)
        elif layer.activation_scale is not None:
            alphas.append(layer.activation_scale)
    check_histogram(found["activation_alpha"][-1][1], np.array(alphas))
    files = len(glob.glob(os.path.join(path, "*tfevents*")))
    print(f"{len(found)} names in {files} files as the log says; {dropped} values of lost steps dropped")


main(sys.argv[1])
