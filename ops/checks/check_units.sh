#!/usr/bin/env bash
# The systemd units: no unknown key, and exposed no more than promised. Neither
# needs a running systemd.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# Of 100 (systemd-analyze prints tenths of it).
threshold=20

command -v systemd-analyze >/dev/null || {
  echo "check_units: SKIPPED, there is no systemd-analyze (package systemd)"
  exit 77
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0 count=0
for unit in ops/deploy/*.service; do
  name=$(basename "$unit")
  count=$((count + 1))
  # verify wants to see the programs, which are not installed here.
  sed -E 's#/usr/bin/swavd?(ctl|-crawl)?\b#/bin/true#' "$unit" >"$scratch/$name"
  if ! output=$(systemd-analyze verify --man=no "$scratch/$name" 2>&1) ||
    grep -E "$name|ignoring|[Uu]nknown" <<<"$output"; then
    printf '%s\n' "$output"
    echo "$unit: systemd-analyze verify complains"
    failures=$((failures + 1))
  fi
  if ! output=$(systemd-analyze security --offline=true --no-pager \
    --threshold=$threshold "$scratch/$name" 2>&1); then
    printf '%s\n' "$output" | tail -n 3
    echo "$unit: more exposed than $threshold of 100"
    failures=$((failures + 1))
  else
    tail -n 1 <<<"$output" | sed 's/^[^A-Za-z]*/  /'
  fi
done
[ "$count" -gt 0 ] || { echo "check_units: no unit in ops/deploy"; exit 1; }
echo "check_units: $count units, $failures failures"
exit $((failures > 0))
