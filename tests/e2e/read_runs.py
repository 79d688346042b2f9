#!/usr/bin/env python3
"""Uses io/srq.py as its users do, and compares what it gives with other witnesses.

    read_runs.py SRQ RUN...        with `srq inspect --json`, the formulas of docs/checkpoint-format.md, and log.jsonl
    read_runs.py --layers SRQ RUN...
                                   the same, without the log
    read_runs.py --masks FILE RUN  makes a mask file for the network of RUN
    read_runs.py --files FOLDER LOGS.tar.xz
                                   other files: changed and older checkpoints in FOLDER, logs that were released, and
                                   logs and configurations that are made here
"""
import json
import os
import subprocess
import sys
import tarfile

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.environ["SOURCE"], "io"))
sys.dont_write_bytecode = True
import srq  # noqa: E402


def inspect(program, *words):
    return json.loads(subprocess.run([program, "inspect", *words, "--json"], check=True, capture_output=True).stdout)


def check_weights(program, run, layer):
    """Codes, scales and values of one layer, and what is measured on them."""
    with h5py.File(run.checkpoint) as file:
        group = file["layers"][layer.name]
        weight, alpha = group["weight"][:], group["weight_alpha"][()]
        alpha = np.reshape(alpha, np.shape(alpha) + (1,) * (weight.ndim - np.ndim(alpha)))
        if "weight_points" in group:
            points = group["weight_points"][:]
            distance = np.abs((weight / alpha)[..., None] - points)
            value = alpha * points[distance.argmin(-1)]
            level = points[layer.weight_codes.astype(int) - layer.smallest_code]
        else:
            value = alpha * np.clip(np.rint(weight / alpha), group.attrs["smallest_code"], group.attrs["largest_code"])
            level = layer.weight_codes
    assert np.array_equal(layer.weight, weight) and layer.weight.dtype == np.float32
    assert np.array_equal(layer.dequantized_weight, value), f"{layer.name}: not the documented value"
    assert np.array_equal(layer.dequantized_weight, layer.weight_scale * level.astype(np.float32))
    assert layer.dequantized_weight.dtype == np.float32 and layer.weight_codes.dtype == np.int8
    shown = inspect(program, run.path, f"{layer.name}/weight")["grid"]
    counts = np.bincount((layer.weight_codes.astype(int) - layer.smallest_code).ravel(), minlength=len(shown["counts"]))
    assert counts.tolist() == shown["counts"], f"{layer.name}: {counts} codes, srq inspect shows {shown['counts']}"
    assert np.allclose(layer.weight_scale.ravel(), shown["alpha"], rtol=1e-7)
    return layer.dequantized_weight.astype(np.float64)


def check_layers(program, run):
    quantized = 0
    for shown in inspect(program, run.path)["layers"]:
        layer = run.layers[shown["name"]]
        assert layer.type == shown["type"] and layer.method == shown.get("method")
        if layer.weight is None:
            if layer.type == "quantize" and layer.method:
                assert layer.bits == shown["activation_bits"] and np.isclose(layer.activation_scale, shown["alpha"])
            continue
        assert "x".join(map(str, layer.weight.shape)) == shown["shape"]
        value = layer.weight.astype(np.float64)
        if layer.method:
            quantized += 1
            value = check_weights(program, run, layer)
            assert layer.bits == shown["weight_bits"]
            error = np.sum((layer.weight - value) ** 2) / np.sum(np.square(layer.weight, dtype=np.float64))
            assert np.isclose(error, shown["error"], rtol=1e-5), (layer.name, error, shown["error"])
        else:
            assert layer.weight_codes is None and layer.dequantized_weight is layer.weight
        assert np.isclose(np.mean(value == 0), shown["zeros"], atol=1e-8)
        assert (layer.weight_mask is not None) == ("kept" in shown)
        if layer.weight_mask is not None:
            assert layer.weight_mask.sum() == shown["kept"] and not value[~layer.weight_mask].any()
    assert [layer.index for layer in run.layers.values()] == sorted(layer.index for layer in run.layers.values())
    return quantized


def check_log(run):
    """Every number of the log, read once more in the plainest way. No step of these runs was done twice."""
    lines = [json.loads(line) for line in open(os.path.join(run.path, "log.jsonl"))]
    for event in {line["event"] for line in lines}:
        of = [line for line in lines if line["event"] == event]
        for name, array in run.log[event].items():
            if name == "layers":
                for i, line in enumerate(of):
                    for layer in line["layers"]:
                        assert all(np.array_equal(np.ravel(array[layer["name"]][key][i]), np.ravel(value))
                                   for key, value in layer.items()), layer
            elif name != "slowest":
                assert array.tolist() == [line[name] for line in of], (event, name)
    assert len(run.log["step"]["loss"]) > 3 and len(run.log["eval"]["test_error"]) > 0
    assert run.log["step"]["slowest"]["rank"].dtype == np.int64 and run.log["step"]["loss"].dtype == np.float64
    assert run.evaluation["error"] == run.log["eval"]["test_error"][-1] or abs(
        run.evaluation["error"] - run.log["eval"]["test_error"][-1]) < 1e-8


def check(program, path):
    before = {name: os.stat(os.path.join(path, name)).st_mtime_ns for name in os.listdir(path)}
    run = srq.load(path)
    shown = inspect(program, path)
    assert np.allclose(run.mean, shown["mean"], rtol=1e-7) and np.allclose(run.std, shown["std"], rtol=1e-7)
    quantized = check_layers(program, run)
    check_log(run)
    assert run.step == run.total_steps == run.log["eval"]["step"][-1]
    assert run.config["data"]["file"].endswith("slice.h5") and run.config["train"]["epochs"] == 2
    assert [layer["name"] for layer in run.config["model"]["layers"]] == list(run.layers)
    for name, layer in run.layers.items():
        steps, bits = run.bits_history.of(name)
        assert (bits[-1] == layer.bits and steps[0] == 0) if layer.method else len(bits) == 0
    file = srq.load(run.checkpoint)
    assert file.log == {} and file.evaluation == run.evaluation and file.config["model"] == run.config["model"]
    assert before == {name: os.stat(os.path.join(path, name)).st_mtime_ns for name in os.listdir(path)}
    return quantized


def make_masks(path, run):
    layer = srq.load(run).layers["fc1"]
    kept = np.random.default_rng(1).random(layer.weight.size) < 0.3
    with h5py.File(path, "w") as file:
        file.attrs.create("format", np.bytes_("srq-masks"))
        file.attrs["version"] = 1
        mask = file.create_dataset("layers/fc1/weight_mask", data=np.packbits(kept, bitorder="little"))
        mask.attrs["count"], mask.attrs["kept"] = kept.size, int(kept.sum())
        file.attrs.create("content_sha256", np.bytes_(srq.content_digest(file)))


def refused(words, call, *arguments):
    try:
        call(*arguments)
    except srq.FormatError as error:
        assert words in str(error), error
        return
    assert False, f"{arguments} was read, expected: {words}"


def check_files(folder, logs):
    refused("does not match its digest", srq.load, f"{folder}/number.h5")
    assert srq.load(f"{folder}/number.h5", check=False).layers
    refused("version 3 of the format", srq.load, f"{folder}/third.h5")
    refused("/layers/other is a link to somewhere else", srq.load, f"{folder}/linked.h5")
    whole = open(f"{folder}/whole/last.h5", "rb").read()
    for place in range(100, len(whole) - 256, len(whole) // 20):
        with open(f"{folder}/flipped.h5", "wb") as file:
            file.write(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refused("its bytes are not those that were written", srq.load, f"{folder}/flipped.h5")
    for name in ("outside", "virtual"):
        with h5py.File(f"{folder}/{name}.h5", "w") as file:
            file.attrs["format"], file.attrs["version"] = "srq-checkpoint", 1
            if name == "outside":
                file.create_dataset("layers/a/weight", (4,), "f4", external=[(f"{folder}/slice.h5", 0, 16)])
            else:
                layout = h5py.VirtualLayout((4,), "f4")
                layout[:] = h5py.VirtualSource(f"{folder}/slice.h5", "mean", (4,))
                file.create_virtual_dataset("layers/a/weight", layout)
        refused("/layers/a/weight is stored in another file", srq.load, f"{folder}/{name}.h5")
    assert srq.load(f"{folder}/first.h5").attributes["version"] == 1
    refused("is not a checkpoint of srq", srq.load, f"{folder}/slice.h5")
    refused("not the folder of a run", srq.load, folder)
    with tarfile.open(logs) as archive:
        members = [m for m in archive.getmembers() if m.isfile()][:4]
        for member in members:
            os.makedirs(f"{folder}/{os.path.dirname(member.name)}", exist_ok=True)
            open(f"{folder}/{member.name}", "wb").write(archive.extractfile(member).read())
    for path in {os.path.dirname(m.name) for m in members}:
        run = srq.load(f"{folder}/{path}")
        lines = open(f"{folder}/{path}/log.jsonl").read().splitlines()
        last = [json.loads(line) for line in lines if '"event": "eval"' in line][-1]
        assert run.checkpoint is None and run.layers == {} and run.config["model"]["name"] == "lenet5"
        assert run.log["eval"]["test_error"][-1] == last["test_error"]
    with open(f"{folder}/made.jsonl", "w") as file:
        file.write('{"event": "start", "ranks": 2}\n{"event": "step", "step": 2, "loss": 1.5, "note": "a nan \\" inf"}\n'
                   '{"event": "step", "step": 4, "loss": nan}\n{"event": "eval", "step": 4, "test_error": 0.5}\n'
                   'garbage\n{"event": "resume", "step": 2}\n{"event": "step", "step": 4, "loss": -inf, "extra": 1}\n'
                   '{"event": "step", "step": "x"}\n{"event": "step", "step": 6, "loss": 1')
    log = srq.read_log(f"{folder}/made.jsonl")
    assert log["step"]["step"].tolist() == [2, 4] and log["step"]["loss"].tolist() == [1.5, -np.inf]
    assert log["step"]["note"].tolist() == ['a nan " inf', ""] and np.isnan(log["step"]["extra"][0])
    assert log["eval"] == {} and log["resume"]["step"].tolist() == [2]
    text = 'a = 0x10; b : [1, 2L, -3.5e-1];\nc = { d = "x\\"\\x41" "y"; e = true; }; # note\nf = ( { g = 1 }, "h", () ) /* */;'
    expected = {"a": 16, "b": [1, 2, -0.35], "c": {"d": 'x"Ay', "e": True}, "f": [{"g": 1}, "h", []]}
    assert srq.parse_config(text) == expected, srq.parse_config(text)
    for wrong, words in (("a = ;", "f:1: found ';'"), ("a = {\nb = 1;", "f:2: found ''"), ("a = maybe;", "expected a value"),
                         ("a = \"x", "f:1: "), ("@include \"x\"", "is not part of a configuration"), ("a = [1 2];", "f:1: ")):
        refused(words, srq.parse_config, wrong, "f")


if sys.argv[1] == "--masks":
    make_masks(*sys.argv[2:])
elif sys.argv[1] == "--files":
    check_files(*sys.argv[2:])
elif sys.argv[1] == "--layers":
    for path in sys.argv[3:]:
        assert check_layers(sys.argv[2], srq.load(path)) > 0, f"{path}: no layer is quantized"
else:
    for path in sys.argv[2:]:
        assert check(sys.argv[1], path) > 0, f"{path}: no layer is quantized"
