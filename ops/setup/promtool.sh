# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: Prometheus' linter, out of Debian's package. Unpacked, not
# installed: the package would start a server.

# need_promtool VERSION: $deps/promtool/promtool is of that version.
need_promtool() {
  local want=$1 have partial=$deps/promtool.partial log=$deps/log/promtool.log
  if [ "$(cat "$deps/promtool/STAMP" 2>/dev/null)" = "$want" ]; then
    return
  fi
  mkdir -p "$deps/log"
  have_candidates prometheus || refresh_lists
  have=$(apt-cache policy prometheus | sed -n 's/^  Candidate: //p')
  version_fits "$have" "$want" ||
    fail "the package prometheus is ${have:-missing}, wanted $want" \
      "use Debian 12: enable its main component"
  rm -rf "$partial"
  mkdir -p "$partial"
  # apt's own download user need not be able to write here.
  if ! (cd "$partial" && follow "fetching prometheus $have (19 MB)" "$log" "" \
    apt-get download -q -o APT::Sandbox::User=root prometheus); then
    fail_with_log "prometheus could not be fetched" "$log" \
      "see what 'apt-get download prometheus' complains about"
  fi
  dpkg-deb --fsys-tarfile "$partial"/prometheus_*.deb |
    tar -x -C "$partial" --strip-components 3 ./usr/bin/promtool ||
    fail "promtool could not be unpacked into $partial" "is the disk full? (df $deps)"
  rm -f "$partial"/prometheus_*.deb
  echo "$want" >"$partial/STAMP"
  rm -rf "$deps/promtool"
  mv "$partial" "$deps/promtool"
}
