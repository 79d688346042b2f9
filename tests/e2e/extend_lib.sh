# shellcheck shell=bash
# For tests of the pages on extensions (docs/adding-a-*.md): what such a page says is done to a copy of the source tree,
# which becomes a program of its own. Sourced after lib.sh; needs BUILD, the build folder of the program under test.
#
#     copy_tree                        makes $TREE, a copy of the sources
#     take_block PAGE MARK > FILE      the text of the first fenced block below the first line that has MARK
#     add_line FILE AFTER LINE         LINE below the first line of FILE that is AFTER, both but for spaces around them
#     build_extended                   makes $EXTENDED, the program of $TREE
#
# build_extended configures $TREE as a user would, so that CMake has to find the new files by itself. Then it compiles, by
# the commands of that build, only what differs from the tested sources, and links it with the libraries that are there.
: "${BUILD:?the build folder of the program}"
TREE=$WORK/extended
EXTENDED=$TREE/build/bin/srq

copy_tree() {
  mkdir -p "$TREE/tests"
  (cd "$SOURCE" && cp -r CMakeLists.txt CMakePresets.json cmake core dist io "$TREE/" &&
    mkdir -p "$TREE/experiments" && cp -r experiments/srq "$TREE/experiments/" && cp tests/*.c "$TREE/tests/") ||
    fail "the sources cannot be copied"
}

take_block() {
  awk -v mark="$2" '
    !found { found = index($0, mark) > 0; next }
    /^```/ { if (inside) exit; inside = 1; next }
    inside { print }' "$1" | grep . || { fail "$1 has no block below \"$2\"" >&2; return 1; }
}

add_line() {
  awk -v after="$2" -v line="$3" '
    function bare(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
    { print }
    !done && bare($0) == bare(after) { print line; done = 1 }
    END { exit !done }' "$1" > "$1.new" && mv "$1.new" "$1" || fail "$1 has no line \"$2\""
}

sums_of() { (cd "$1" && find core dist io experiments/srq -type f -exec sha256sum {} + | sort); }

# The sources of $TREE that differ from those under test, and all that include one that does.
changed_sources() {
  local changed known="" file
  changed=$(comm -13 <(sums_of "$SOURCE") <(sums_of "$TREE") | cut -d ' ' -f 3)
  while [ "$changed" != "$known" ]; do
    known=$changed
    changed=$({
      echo "$known"
      for file in $known; do (cd "$TREE" && grep -rlF "#include \"$file\"" core dist io experiments); done
    } | sort -u)
  done
  echo "$changed" | grep '\.c$'
}

# NAME: the value in the cache of the build under test.
cached() { sed -n "s/^$1:[A-Z]*=//p" "$BUILD/CMakeCache.txt"; }

build_extended() {
  local source output command objects=() commands=$TREE/build/compile_commands.json name
  command -v ninja > /dev/null || skip "ninja is not installed"
  cmake -S "$TREE" -B "$TREE/build" -G Ninja -DSRQ_TESTS=OFF -DSRQ_WERROR=ON "-DCMAKE_BUILD_TYPE=$(cached CMAKE_BUILD_TYPE)" \
    "-DCMAKE_C_COMPILER=$(cached CMAKE_C_COMPILER)" "-DSRQ_SANITIZE=$(cached SRQ_SANITIZE)" \
    "-DSRQ_ONEDNN=$(cached SRQ_ONEDNN)" > "$WORK/cmake" 2>&1 || { fail "cmake: $(tail -5 "$WORK/cmake")"; return 1; }
  ninja -C "$TREE/build" srq_version > "$WORK/ninja" 2>&1 || { fail "ninja: $(tail -5 "$WORK/ninja")"; return 1; }
  for source in $(changed_sources); do
    # One source may be compiled several times, with other options.
    python3 - "$commands" "$TREE/$source" > "$WORK/compile" << 'END'
import json, shlex, sys
found = [c["command"] for c in json.load(open(sys.argv[1])) if c["file"] == sys.argv[2]]
for command in found: words = shlex.split(command); print(words[words.index("-o") + 1] + "\t" + command)
sys.exit(not found)
END
    [ $? = 0 ] || { fail "the build does not compile $source"; return 1; }
    while IFS=$'\t' read -r output command; do
      mkdir -p "$TREE/build/$(dirname "$output")"
      (cd "$TREE/build" && eval "$command") > "$WORK/compile.out" 2>&1 || { fail "$source: $(head -20 "$WORK/compile.out")"; return 1; }
      objects+=("$output")
    done < "$WORK/compile"
  done
  [ ${#objects[@]} -gt 0 ] || { fail "nothing was added to the program"; return 1; }
  # The link as the build has it, with the new objects ahead of the libraries, whose old ones are then not taken.
  command=$(ninja -C "$TREE/build" -t commands bin/srq | tail -1)
  for name in $(echo "$command" | tr ' ' '\n' | grep -E '^[^/].*\.(a|o)$'); do
    [ -e "$TREE/build/$name" ] || { mkdir -p "$TREE/build/$(dirname "$name")" && ln -s "$BUILD/$name" "$TREE/build/$name"; }
  done
  mkdir -p "$TREE/build/bin"
  (cd "$TREE/build" && eval "${command/ -o bin\/srq / ${objects[*]} -o bin/srq }") > "$WORK/link" 2>&1 ||
    { fail "link: $(tail -5 "$WORK/link")"; return 1; }
  [ -x "$EXTENDED" ] || { fail "there is no $EXTENDED"; return 1; }
}
