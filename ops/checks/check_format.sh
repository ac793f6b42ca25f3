#!/usr/bin/env bash
# check_format.sh [--fix]: clang-format 14 over every C++ and CUDA file.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mode=(--dry-run -Werror --ferror-limit=1)
[ "${1:-}" != --fix ] || mode=(-i)

list=$(mktemp)
trap 'rm -f "$list"' EXIT
git ls-files -z --cached --others --exclude-standard -- \
  '*.h' '*.cpp' '*.cu' '*.cuh' |
  while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
  done >"$list"
count=$(tr -cd '\0' <"$list" | wc -c)
xargs -0 -r -n 16 -P "$(nproc)" clang-format-14 "${mode[@]}" <"$list" || {
  echo "check_format: not formatted (first place of each file above); run: make format"
  exit 1
}
echo "check_format: $count files"
