# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: LibTorch and CUDA tools, taken out of pinned Python wheels.
# Nothing of Python is kept: pip only fetches, and checks every hash.

# A Python whose pip works; Debian's own first, since its version is recorded.
find_pip() {
  local python
  for python in /usr/bin/python3 python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  fail "no python3 with pip found" "run: ops/setup/setup build (it installs python3-pip)"
}

pin_lines() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"; }

# wheel_in_cache NAME VERSION SHA256: prints the path of the finished wheel.
wheel_in_cache() {
  local file
  for file in "$deps/cache/${1//-/_}-$2-"*.whl; do
    [ -f "$file" ] || return 1
    if echo "$3  $file" | sha256sum --check --status; then
      echo "$file"
      return
    fi
    say "$(basename "$file") in $deps/cache is damaged: fetching it again"
    rm -f "$file"
  done
  return 1
}

# fetch_wheel LINE OF A PIN FILE: appends the wheel's path in $deps/cache to wheels.
fetch_wheel() {
  local line=$1 size=${1##*# } name version sha wheel log tmp tag tags=()
  read -r name version sha < <(pin_lines <<<"$line" |
    sed -E 's/^([^=]+)==([^ ]+) --hash=sha256:([0-9a-f]{64}).*/\1 \2 \3/')
  if wheel=$(wheel_in_cache "$name" "$version" "$sha"); then
    say "$name $version: already fetched"
    wheels+=("$wheel")
    return
  fi
  for tag in manylinux_2_{28..17}_x86_64 manylinux2014_x86_64 manylinux2010_x86_64; do
    tags+=(--platform "$tag")
  done
  log=$deps/log/fetch-$name.log
  # pip's own scratch space lies beside the result, not on a small /tmp.
  tmp=$(mktemp -d "$deps/cache/tmp.XXXXXX")
  echo "$name==$version --hash=sha256:$sha" >"$tmp/pin.txt"
  if ! follow "fetching $name $version ($size)" "$log" "$tmp" \
    env TMPDIR="$tmp" "$python" -m pip download --no-cache-dir --no-deps \
    --only-binary=:all: --require-hashes --implementation cp --python-version 3.11 \
    "${tags[@]}" --dest "$tmp/done" --requirement "$tmp/pin.txt"; then
    rm -rf "$tmp"
    fail_with_log "$name $version could not be fetched" "$log" \
      "see that pip's package index (pip config list) offers exactly this version for cp311 x86_64"
  fi
  wheel=$(basename "$tmp"/done/*.whl)
  mv "$tmp/done/$wheel" "$deps/cache/"
  rm -rf "$tmp"
  wheels+=("$deps/cache/$wheel")
}

# Each set holds everything of the one before.
libtorch_sets=(cpu cuda gpu)
libtorch_pins=(libtorch.txt cuda.txt gpu.txt)

# libtorch_stamp NUMBER: the line that a folder with that set has in its STAMP:
# the checksum of the set's pins and of the unpacker.
libtorch_stamp() {
  local pins=("${libtorch_pins[@]:0:$1+1}")
  echo "${libtorch_sets[$1]} $(pin_lines "${pins[@]/#/$here/}" |
    cat - "$here/unpack_wheels.py" | sha256sum | cut -c1-16)"
}

# need_libtorch NUMBER: $deps/libtorch holds what the set of that number wants.
# It is unpacked beside its place and moved there whole.
need_libtorch() {
  local number=$1 set_name stamp line python partial i lines=() wheels=() pins
  set_name=${libtorch_sets[$number]}
  stamp=$(libtorch_stamp "$number")
  if grep -qsxF "$stamp" "$deps/libtorch/STAMP"; then
    return
  fi
  [ "$(uname -m)" = x86_64 ] ||
    fail "the pinned LibTorch is for x86-64, this machine is $(uname -m)" \
      "build without it: cmake --preset quick"
  python=$(find_pip)
  mkdir -p "$deps/cache" "$deps/log"
  rm -rf "$deps"/cache/tmp.*
  pins=("${libtorch_pins[@]:0:$number+1}")
  mapfile -t lines < <(grep -hE '^[a-z]' "${pins[@]/#/$here/}")
  for line in "${lines[@]}"; do
    fetch_wheel "$line"
  done
  partial=$deps/libtorch.partial
  rm -rf "$partial"
  follow "unpacking LibTorch ($set_name)" "$deps/log/unpack.log" "$deps/libtorch.partial" \
    "$python" "$here/unpack_wheels.py" "${set_name/gpu/cuda}" "$partial" "${wheels[@]}" ||
    fail_with_log "LibTorch could not be unpacked" "$deps/log/unpack.log" \
      "is the disk full? ('df $deps'); the fetched wheels are kept in $deps/cache"
  for ((i = number; i >= 0; i--)); do
    libtorch_stamp "$i"
  done >"$partial/STAMP"
  rm -rf "$deps/libtorch.old"
  [ ! -e "$deps/libtorch" ] || mv "$deps/libtorch" "$deps/libtorch.old"
  mv "$partial" "$deps/libtorch"
  rm -rf "$deps/libtorch.old" "${wheels[@]}"
  say "LibTorch is in $deps/libtorch ($(du -sm "$deps/libtorch" | cut -f1) MB)"
}
