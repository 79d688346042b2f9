#!/usr/bin/env bash
# Checks that the pages are right about the project: the package list, links, anchors, commands, options, paths, settings
# (docs.py), and that this check finds mistakes.
. "$(dirname "$0")/lib.sh"
quoted=$(sed -n '/apt-get install --no-install-recommends/,/[^\\]$/p' "$SOURCE/README.md" | tr -d '\\' | xargs | sed 's/.*--no-install-recommends //')
listed=$(grep -v '^#' "$SOURCE/packages.txt" | xargs)
[ "$quoted" = "$listed" ] || fail "README quotes: $quoted; packages.txt lists: $listed"

# What a reader opens is of reasonable size.
while read -r large; do
  fail "$large is above 1 MB; leave out what a command makes again"
done < <(find "$SOURCE/experiments/results" "$SOURCE/docs" -type f -size +1000000c)

check() { /usr/bin/python3 "$SOURCE/tests/e2e/docs.py" "$1" "$SRQ" > "$WORK/mistakes"; }
check "$SOURCE" || fail "$(cat "$WORK/mistakes")"

# The example for Python runs as it is on the page, and says what srq says.
if /usr/bin/python3 -c 'import h5py, numpy' 2> /dev/null; then
  make_data
  make_configs
  (cd "$WORK" && "$SRQ" train lenet-run.cfg --out runs/w2a2 --set train.seed=7 > out 2>&1) || fail "train: $(tail -3 "$WORK/out")"
  awk '/^```/ { inside = $0 == "```python"; next } inside' "$SOURCE/docs/checkpoint-format.md" > "$WORK/example.py"
  (cd "$WORK" && PYTHONPATH=$SOURCE/io PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 example.py > shown 2>&1) ||
    fail "the example of checkpoint-format.md: $(cat "$WORK/shown")"
  grep -q "^fc1 2 bits (32, 216) step size 0\.[0-9]* error 0\.[0-9]*$" "$WORK/shown" || fail "no layer: $(cat "$WORK/shown")"
  error=$(tail -1 "$WORK/out" | sed 's/.*test error \([0-9.]*\) %.*/\1/')
  awk -v error="$error" '/^test error/ { d = 100 * $3 - error; found = d * d < 1e-4 && $5 == 36 && $NF == 7 } END { exit !found }' \
    "$WORK/shown" || fail "srq: $error %; the example: $(cat "$WORK/shown")"
fi

# The configuration on training-options.md is the one of the project, and runs.
awk '/^    # LeNet-5/ { inside = 1 } inside && !/^    / { exit } inside { print substr($0, 5) }' "$SOURCE/docs/training-options.md" |
  cmp - "$SOURCE/experiments/regularized.cfg" || fail "training-options.md shows another configuration"
make_data
"$SRQ" train "$SOURCE/experiments/regularized.cfg" --out "$WORK/options" --set "data.file=$WORK/slice.h5" --set train.max_steps=2 \
  > "$WORK/out" 2>&1 || fail "regularized.cfg: $(tail -3 "$WORK/out")"

# A copy of the project in which one page is full of mistakes: each of them is found, and nothing else.
mkdir "$WORK/copy"
for entry in "$SOURCE"/*; do
  case $(basename "$entry") in docs | README.md | build*) ;; *) ln -s "$entry" "$WORK/copy/" ;; esac
done
cp -r "$SOURCE/docs" "$SOURCE/README.md" "$WORK/copy/"
cat >> "$WORK/copy/docs/watching.md" << 'END'

[A file](missing.md), [a heading](report.md#missing), [another](#missing-here), `core/missing.c`, `train.missing`,
`srq missingly RUN`, `srq inspect RUN --missing`, `--set optimizer.missing=1`, `experiments/missing.sh ROUNDS`.

    srq train experiments/missing.cfg --out DIR --set quantizer.missing=2
    mpirun -n 2 srq bench step --missing-layers      # a comment
    OMP_NUM_THREADS=1 mpirun -n 2 srq missing
    sbatch --time=1:00 slurm/missing.sbatch CONFIG RUN
    sbatch slurm/train.sbatch CONFIG RUN --missing-resume auto
    sbatch --array=0-3 slurm/sweep.sbatch runs/a CONFIG -- dropbits.missing=1,2
    for seed in 1 2; do srq train CONFIG --missing-out $seed; done
    experiments/bench/scaling.py model NETWORK.json --missing-gbit 1
    srun -n 2 srq train CONFIG --out missing
    tests/data/README.md
    schedule = { missing_step = 3; };

```
srq report --missing-table TABLE && srq diff A B --missing-tolerance 1
```
END
sed -i 's/^| `train.batch` |.*/| `train.batch` | missing |/' "$WORK/copy/docs/configuration.md"
check "$WORK/copy" && fail "mistakes are not found"
grep -q "docs/configuration.md: does not hold what srq help configuration --markdown prints" "$WORK/mistakes" || fail "a stale table is not found"
while read -r mistake; do
  grep -qF "docs/watching.md: $mistake" "$WORK/mistakes" || fail "not found: $mistake; but $(cat "$WORK/mistakes")"
done << 'END'
links to missing.md, but the file does not exist
links to report.md#missing, but there is no such heading
links to #missing-here, but there is no such heading
names core/missing.c, which does not exist
names the setting train.missing, which srq does not know
shows srq missingly, which is not a command
shows --missing, which is no option of srq inspect
names the setting optimizer.missing, which srq does not know
starts experiments/missing.sh, which does not exist
names experiments/missing.cfg, which does not exist
names the setting quantizer.missing, which srq does not know
shows --missing-layers, which is no option of srq bench
shows srq missing, which is not a command
submits slurm/missing.sbatch, which does not exist
shows --missing-resume, which is no option of slurm/train.sbatch
names the setting dropbits.missing, which srq does not know
shows --missing-out, which is no option of srq train
shows --missing-gbit, which is no option of experiments/bench/scaling.py
starts tests/data/README.md, which is not executable
names the setting schedule.missing_step, which srq does not know
shows srun without --mpi in front of srq
shows --missing-table, which is no option of srq report
shows --missing-tolerance, which is no option of srq diff
END
others=$(grep -v missing "$WORK/mistakes" | grep -vE "starts tests/data/README.md|does not hold|srun without --mpi")
[ -z "$others" ] || fail "right things are taken for mistakes: $others"
finish
