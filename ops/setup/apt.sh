# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: Debian packages, checked against the recorded versions.

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "installing packages needs root, and there is no sudo" \
      "run as root: apt-get install --no-install-recommends ${missing[*]}"
  fi
}

# Prints "name required" for each line of a list file; required keeps its ">=".
read_list() { sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$1"; }

# The upstream part of a Debian version: no epoch, no revision.
upstream() {
  local version=${1#*:}
  echo "${version%-*}"
}

# version_fits INSTALLED REQUIRED: REQUIRED is "V" (V itself or a point release
# of it) or ">= V".
version_fits() {
  local have=$1 want=$2
  if [ "${want#>=}" != "$want" ]; then
    want=${want#>=}
    dpkg --compare-versions "$(upstream "$have")" ge "${want# }"
    return
  fi
  case $(upstream "$have") in
    "$want" | "$want"[.+~-]*) return 0 ;;
    *) return 1 ;;
  esac
}

# Sets missing=(names) and wrong=(sentences) for the packages of a list file.
look_at_packages() {
  local name want have names=()
  local -A installed=()
  missing=() wrong=()
  mapfile -t names < <(read_list "$1" | awk '{print $1}')
  while read -r name have; do
    installed[$name]=$have
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' \
    "${names[@]}" 2>/dev/null | awk '$1 == "installed" {print $2, $3}')
  while read -r name want; do
    have=${installed[$name]:-}
    if [ -z "$have" ]; then
      missing+=("$name")
    elif ! version_fits "$have" "$want"; then
      wrong+=("$name is $have, wanted $want")
    fi
  done < <(read_list "$1")
}

have_candidates() {
  local policy
  policy=$(apt-cache policy "$@")
  [ "$(grep -c '^  Candidate: [^(]' <<<"$policy")" = $# ]
}

refresh_lists() {
  follow "apt: refreshing the package lists" "$deps/log/apt-update.log" "" \
    as_root apt-get update -q ||
    fail_with_log "the package lists could not be refreshed" \
      "$deps/log/apt-update.log" "see what 'apt-get update' complains about"
}

install_packages() {
  say "apt: missing: ${missing[*]}"
  follow "apt: installing ${#missing[@]} packages" "$deps/log/apt.log" "" \
    as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}"
}

# need_packages LIST: afterwards every package of LIST is installed in a version
# that fits, else the script has ended with the reason.
need_packages() {
  local missing=() wrong=() fresh=no
  command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system (no dpkg)" \
      "build on Debian 12, or install what $1 lists by hand"
  look_at_packages "$1"
  if [ ${#missing[@]} -gt 0 ]; then
    mkdir -p "$deps/log"
    # Asks for the password here, not from a command whose output is a log.
    as_root true
    if ! have_candidates "${missing[@]}"; then
      refresh_lists
      fresh=yes
      have_candidates "${missing[@]}" ||
        fail "no package source offers all of: ${missing[*]}" \
          "swavd is built on Debian 12 (this is $(. /etc/os-release && echo "$PRETTY_NAME")): enable its main component"
    fi
    if ! install_packages; then
      if [ "$fresh" = yes ] || ! grep -qE '404|Unable to fetch|Failed to fetch' "$deps/log/apt.log"; then
        fail_with_log "could not install: ${missing[*]}" "$deps/log/apt.log" \
          "see the log; 'apt-get install ${missing[*]}' by hand shows the same"
      fi
      say "apt: the package lists are out of date; trying once more with fresh ones"
      refresh_lists
      install_packages ||
        fail_with_log "could not install: ${missing[*]}" "$deps/log/apt.log" \
          "see the log; 'apt-get install ${missing[*]}' by hand shows the same"
    fi
    look_at_packages "$1"
    [ ${#missing[@]} = 0 ] || fail "apt reported success but these are not installed: ${missing[*]}"
  fi
  if [ ${#wrong[@]} -gt 0 ]; then
    printf '  | %s\n' "${wrong[@]}" >&2
    fail "other versions than the recorded ones are installed ($(basename "$1"))" \
      "use Debian 12, or remove what shadows its packages (backports, other sources)"
  fi
}
