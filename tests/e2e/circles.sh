#!/usr/bin/env bash
# No files that call each other in a circle, and no headers that include each other in one, whatever the number of steps.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
[ -x "$python" ] || skip "python3 is not installed"
circles() { # SOURCE BUILD TARGET...: prints each circle with what ties it, or "none"
  "$python" "$SOURCE/tests/e2e/circles.py" "$@" 2>&1
}
targets="srq_core srq_dist srq_io srq_program srq"
for folder in "$BUILD"/core/CMakeFiles/srq_vector_*.dir; do
  targets="$targets $(basename "$folder" .dir)"
done
# shellcheck disable=SC2086
found=$(circles "$SOURCE" "$BUILD" $targets)
[ "$found" = none ] || fail "$found"

# The check finds what it looks for, in a project of its own.
objects=$WORK/build/part/CMakeFiles/planted.dir
mkdir -p "$WORK/part" "$objects"
plant() { # FILE LINE...: writes a file, and its object if it is a source file
  printf '%s\n' "${@:2}" > "$WORK/part/$1"
  case $1 in *.c) "${CC:-cc}" -I"$WORK" -c -o "$objects/$1.o" "$WORK/part/$1" || fail "$1 cannot be compiled" ;; esac
}
expect_circles() { # LINE...: all that is printed
  local found
  found=$(circles "$WORK" "$WORK/build" planted)
  [ "$found" = "$(printf '%s\n' "$@")" ] || fail "expected: $(printf '%s\n' "$@") found: $found"
}

# Without a circle: files that use one another downwards, and an object whose source is gone.
plant base.h 'int base(void);'
plant upper.h '#include "part/base.h"' 'int upper(void);'
plant base.c '#include "part/base.h"' 'int table[2] = {1, 2};' 'int base(void) { return table[1]; }'
plant upper.c '#include "part/upper.h"' 'extern int table[2];' 'int upper(void) { return base() + table[0]; }'
plant top.c '#include "part/upper.h"' 'int main(void) { return upper() + base(); }'
plant gone.c 'int upper(void);' 'int table[2];' 'int main(void) { return upper(); }' 'int base(void) { return main(); }'
rm "$WORK/part/gone.c"
expect_circles none

# Calls over three files, one step of which is a variable; includes over three headers.
plant base.c 'extern int last;' 'int table[2];' 'int base(void) { return last; }'
plant top.c 'int base(void);' 'int upper(void);' 'int last;' 'int top(void) { return upper() + base(); }'
plant base.h '#  include "last.h"'
plant last.h '#include "part/upper.h"'
expect_circles 'circle of calls:' '  part/base.c -> part/top.c: last' '  part/top.c -> part/base.c: base' \
  '  part/top.c -> part/upper.c: upper' '  part/upper.c -> part/base.c: base, table' \
  'circle of includes:' '  part/base.h -> part/last.h: #  include "last.h"' \
  '  part/last.h -> part/upper.h: #include "part/upper.h"' '  part/upper.h -> part/base.h: #include "part/base.h"'

# Without objects there is no answer.
circles "$WORK" "$WORK/build" missing | grep -q '^no object of the target missing' || fail "objects that are missing"
finish
