#!/usr/bin/env bash
# What the documents say is so: the package list, links to files, and commands that exist.
. "$(dirname "$0")/lib.sh"
quoted=$(sed -n '/apt-get install --no-install-recommends/,/[^\\]$/p' "$SOURCE/README.md" | tr -d '\\' | xargs | sed 's/.*--no-install-recommends //')
listed=$(grep -v '^#' "$SOURCE/packages.txt" | xargs)
[ "$quoted" = "$listed" ] || fail "README quotes: $quoted; packages.txt lists: $listed"
for page in "$SOURCE/README.md" "$SOURCE"/docs/*.md "$SOURCE"/experiments/README.md "$SOURCE"/experiments/results/*.md; do
  while read -r link; do
    [ -e "$(dirname "$page")/$link" ] || fail "$page links to $link, which is not there"
  done < <(grep -oE '\]\([^)]+\)' "$page" | sed -E 's/^\]\(//; s/\)$//; s/#.*//' | grep -v '^http')
  while read -r command; do
    "$SRQ" help "$command" > /dev/null 2>&1 || fail "$page shows \`srq $command\`, which is not a command"
  done < <(grep -ohE '(^|[ `])srq [a-z]+' "$page" | grep -oE '[a-z]+$' | sort -u | grep -E '^(train|eval|inspect|diff|data|check|help|version|ticket|report|bench|sweep)$')
done
# What a reader opens is of reasonable size.
while read -r large; do
  fail "$large is above 1 MB; leave out what a command makes again"
done < <(find "$SOURCE/experiments/results" "$SOURCE/docs" -type f -size +1000000c)
finish
