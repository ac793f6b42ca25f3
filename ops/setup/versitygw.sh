# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: versitygw, a second real S3 server for tests, built by Go.

# need_versitygw VERSION: $deps/versitygw/versitygw of that version, which the
# checksum database of the Go proxy verifies.
need_versitygw() {
  local partial=$deps/versitygw.partial
  if [ "$(cat "$deps/versitygw/STAMP" 2>/dev/null)" = "$1" ]; then
    return
  fi
  command -v go >/dev/null ||
    fail "versitygw needs a Go tool chain" "install Go 1.24 or newer, or leave this set out: the tests then use SeaweedFS alone"
  mkdir -p "$deps/log"
  say "versitygw $1: building (some minutes)"
  rm -rf "$partial"
  GOBIN=$partial go install "github.com/versity/versitygw/cmd/versitygw@v$1" >"$deps/log/versitygw.log" 2>&1 ||
    fail "versitygw could not be built" "see $deps/log/versitygw.log; is Go new enough? ($(go version))"
  echo "$1" >"$partial/STAMP"
  rm -rf "$deps/versitygw"
  mv "$partial" "$deps/versitygw"
}
