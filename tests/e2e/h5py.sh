#!/usr/bin/env bash
# A stranger reads a checkpoint: h5py alone rebuilds the integer weights and runs the network to the same answers.
. "$(dirname "$0")/lib.sh"
/usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null || skip "python3-h5py is not installed"
make_data
make_configs
on_ranks 2 train "$WORK/lenet-run.cfg" --out "$WORK/run" --set quantizer.weight_bits=3 > "$WORK/out" 2>&1 || fail "$(tail -3 "$WORK/out")"
/usr/bin/python3 - "$WORK/run/last.h5" "$WORK/slice.h5" << 'EOF' || fail "the forward pass in Python differs"
import sys, h5py, numpy as np
c, d = h5py.File(sys.argv[1]), h5py.File(sys.argv[2])
x = ((d["test/images"][:] / np.float32(255) - d["mean"][:]) / d["std"][:]).transpose(0, 3, 1, 2)
def weights(name):
    g = c["layers"][name]; a = g["weight_alpha"][()]
    codes = np.clip(np.rint(g["weight"][:] / a), g.attrs["smallest_code"], g.attrs["largest_code"])
    assert len(np.unique(codes)) <= 8
    return codes * a, g["bias"][:]
def act(name, x):
    g = c["layers"][name]; a = g["activation_alpha"][()]
    return np.clip(np.rint(x / a), g.attrs["smallest_code"], g.attrs["largest_code"]) * a
w, b = weights("conv1")
y = np.zeros((len(x), 6, 12, 12))
for i in range(5):
    for j in range(5):
        y += np.einsum("nhw,o->nohw", x[:, 0, i:i+24:2, j:j+24:2], w[:, 0, i, j])
y = np.maximum(y + b[None, :, None, None], 0)
y = act("act1", y.reshape(-1, 6, 6, 2, 6, 2).max((3, 5))).reshape(len(x), -1)
w, b = weights("fc1"); y = act("act2", np.maximum(y @ w.T + b, 0))
w, b = weights("fc2"); y = y @ w.T + b
wrong = int((y.argmax(1) != d["test/labels"][:]).sum())
# float64 here and float32 there may round a value at the edge of a bin, or a tie of logits, to the other side: 2 of 256.
assert abs(wrong / len(x) - c.attrs["test_error"]) <= 2 / 256, (wrong, len(x), c.attrs["test_error"])
EOF

# Golden cases that others make: a level that is shut above a fractional one leaves the answers of the smaller grid,
# and what the file says of the shut gate's own gradient does not count.
/usr/bin/python3 - "$SOURCE/tests/golden/quantizers.h5" "$WORK/golden.h5" "$WORK/wrong.h5" << 'EOF' || fail "golden cases cannot be made"
import sys, h5py
with h5py.File(sys.argv[1]) as source:
    for path, error in (sys.argv[2], 0), (sys.argv[3], 0.01):
        with h5py.File(path, "w") as made:
            for key, value in source.attrs.items(): made.attrs[key] = value
            for name, case in source.items():
                if "grad_mask" not in case or case.attrs["bits"] != 3: continue
                source.copy(name, made)
                gates, gradient = case["mask"][:].tolist() + [0], case["grad_mask"][:].tolist() + [123]
                gradient[0] *= 1 + error
                made[name].attrs["bits"] = 4
                del made[name]["mask"], made[name]["grad_mask"]
                made[name].create_dataset("mask", data=gates, dtype="f4")
                made[name]["grad_mask"] = gradient
            assert len(made) == 2
EOF
expect 0 "ok" "$SRQ" check golden "$WORK/golden.h5"
expect 1 "TOO LARGE" "$SRQ" check golden "$WORK/wrong.h5"
finish
