# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: Python packages of the scripts that benchmarks compare with.

# need_bench PIN_FILE: $deps/bench is a folder for PYTHONPATH with its packages.
need_bench() {
  local stamp python line wheel partial=$deps/bench.partial wheels=()
  stamp=$(pin_lines "$1" | sha256sum | cut -c1-16)
  if [ "$(cat "$deps/bench/STAMP" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  python=$(find_pip)
  mkdir -p "$deps/cache" "$deps/log"
  while read -r line; do
    fetch_wheel "$line"
  done < <(grep -E '^[a-z]' "$1")
  rm -rf "$partial"
  mkdir -p "$partial"
  for wheel in "${wheels[@]}"; do
    "$python" -m zipfile -e "$wheel" "$partial" ||
      fail "$wheel could not be unpacked into $partial" "is the disk full? (df $deps)"
  done
  echo "$stamp" >"$partial/STAMP"
  rm -rf "$deps/bench"
  mv "$partial" "$deps/bench"
  rm -f "${wheels[@]}"
}
