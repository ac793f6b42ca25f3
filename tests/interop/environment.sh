#!/usr/bin/env bash
# environment.sh: makes .deps/interop, a Python with torch, torchvision,
# transformers and timm for the CPU. Called by `ops/setup/setup interop`; does
# nothing when what it would make is there.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
deps=${SWAVD_DEPS:-$root/.deps}
venv=$deps/interop
. "$root/ops/setup/lib.sh"

stamp=$(echo "$venv" | cat - "$here/requirements.txt" "$here/standins.py" | sha256sum | cut -c1-16)
if [ "$(cat "$venv/STAMP" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
[ "$(uname -m)" = x86_64 ] ||
  fail "the pinned packages are for x86-64, this machine is $(uname -m)"

mkdir -p "$deps/log" "$deps/cache"
rm -rf "$venv"
/usr/bin/python3 -m venv "$venv" ||
  fail "no virtual environment could be made in $venv" "run: ops/setup/setup interop"
tmp=$(mktemp -d "$deps/cache/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
follow "installing torch, transformers and others (650 MB) in $venv" \
  "$deps/log/interop.log" "$tmp" \
  env TMPDIR="$tmp" "$venv/bin/python" -m pip install --no-cache-dir --no-deps \
  --only-binary=:all: --require-hashes --requirement "$here/requirements.txt" ||
  fail_with_log "the Python packages could not be installed" "$deps/log/interop.log" \
    "see that pip's package index (pip config list) offers what $here/requirements.txt lists"
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python3 "$here/standins.py" "$site" >>"$deps/log/interop.log" 2>&1 ||
  fail_with_log "the stand-ins for the CUDA libraries could not be built" \
    "$deps/log/interop.log" "gcc and readelf are needed: run ops/setup/setup interop"
"$venv/bin/python" -c 'import torch, torchvision, timm; from transformers import RegNetModel' \
  >>"$deps/log/interop.log" 2>&1 ||
  fail_with_log "torch and transformers are installed but cannot be imported" \
    "$deps/log/interop.log" "see the log"
echo "$stamp" >"$venv/STAMP"
