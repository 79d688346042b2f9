#!/usr/bin/env bash
# The "never includes" column of the architecture: what each folder may include, through every header it reaches.
. "$(dirname "$0")/lib.sh"
check() { # ROOT: prints each violation
  local root=$1 folder never file header
  while read -r folder never; do
    while IFS=: read -r file header; do
      [ -n "$file" ] && echo "$file includes $header"
    done < <(grep -rnEo "#[[:space:]]*include[[:space:]]*[<\"]($never)[^>\"]*" --include='*.[ch]' "$root/$folder" | sed -E 's/:[0-9]+:#[^<"]*[<"]/:/')
  done << 'EOF'
core mpi\.h|hdf5|H5|libconfig|dist/|io/|experiments/|\.\./
dist hdf5|H5|libconfig|io/|experiments/|\.\./
io mpi\.h|dist/|experiments/|\.\./
experiments mpi\.h|H5|\.\./
EOF
  # HDF5 and libconfig behind io/ (and in `srq version`).
  grep -rlE '#[[:space:]]*include[[:space:]]*[<"](hdf5|libconfig)' --include='*.[ch]' "$root/experiments" |
    grep -v '/experiments/srq/version\.c$' | sed 's/$/ includes hdf5.h or libconfig.h/'
  # oneDNN only behind the kernel table (and in `srq version`).
  grep -rlE '#[[:space:]]*include[[:space:]]*[<"]dnnl' --include='*.[ch]' "$root/core" "$root/dist" "$root/io" "$root/experiments" |
    grep -vE '/core/kernels/onednn/|/experiments/srq/version\.c$' | sed 's/$/ includes dnnl.h/'
  # Only a method's own file names it, and golden cases, which are of the methods here.
  grep -rlE '"(srq|lsq|ste|rq|rq_st)"' --include='*.[ch]' "$root/core" "$root/dist" "$root/io" "$root/experiments" |
    grep -vE '/core/quant/(srq|lsq|ste|rq)\.c$|/io/golden\.c$|/experiments/srq/inspect/check\.c$' | sed 's/$/ names a quantizer/'
  # What is printed for people may hold text of unknown origin, so it goes through io/escape.h. Texts of srq itself, and lines
  # for scripts, are printed as they are.
  grep -nE '(^|[^a-z_])printf\(|fprintf\((stderr|stdout|notes)' --include='*.c' -r "$root/experiments/srq" "$root/io" |
    grep -vE '/experiments/srq/(help|version|train/supervisor|study/sweep)\.c:|/io/(reference|escape|import_join|export_c)\.c:' |
    sed 's/:.*//; s/$/ prints text that is not made safe/'
  # Whoever wants to know something about an operator finds it in its table.
  operators=$(sed -n 's/^OPERATOR(\(.*\))$/\1/p' "$root/core/ops/operators.def" | paste -sd '|')
  grep -nE "\"($operators)\"" "$root"/core/*.c "$root"/core/ops/chain.c "$root"/io/*.c "$root"/experiments/srq/{bench,inspect}/*.c |
    sed 's/:.*//; s/$/ names an operator/'
}
found=$(check "$SOURCE")
[ -z "$found" ] || fail "$found"

# The check itself finds what it looks for.
mkdir -p "$WORK/tree"
cp -r "$SOURCE/core" "$SOURCE/dist" "$SOURCE/io" "$SOURCE/experiments" "$WORK/tree/"
echo '#include <mpi.h>' >> "$WORK/tree/io/run.c"
echo '# include "io/run.h"' >> "$WORK/tree/core/graph.c"
echo '#include <dnnl.h>' >> "$WORK/tree/core/random.c"
echo '#include "../io/run.h"' >> "$WORK/tree/dist/tree.c"
echo '#include <mpi.h>' >> "$WORK/tree/experiments/srq/train/train.c"
echo '#include <hdf5.h>' >> "$WORK/tree/experiments/srq/train/eval.c"
echo 'const char *method = "lsq";' >> "$WORK/tree/io/idle.c"
echo 'static const char type[] = "concat";' >> "$WORK/tree/io/model.c"
echo 'printf("%s", name);' >> "$WORK/tree/experiments/srq/inspect/data.c"
[ "$(check "$WORK/tree" | wc -l)" = 9 ] || fail "nine violations were planted, found: $(check "$WORK/tree")"
finish
