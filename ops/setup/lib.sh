# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: messages, timing, and one way to run a slow command.

say() { printf 'setup: %s\n' "$*" >&2; }

# fail WHAT [WHAT_TO_DO]: the one way out.
fail() {
  printf 'setup: error: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then
    printf 'setup: what to do: %s\n' "$2" >&2
  fi
  exit 1
}

seconds_since() { echo $(($(date +%s) - $1)); }

# follow TITLE LOG FOLDER COMMAND...: runs COMMAND with its output in LOG. While
# it runs the size of FOLDER ("" for none) is shown: redrawn in place on a
# terminal, one line every 15 s elsewhere. Returns the status of COMMAND.
follow() {
  local title=$1 log=$2 folder=$3 start rc=0 pid tick=0 size=
  shift 3
  start=$(date +%s)
  say "$title ..."
  # The lock (descriptor 9) is not for daemons that a package may start.
  "$@" >"$log" 2>&1 </dev/null 9>&- &
  pid=$!
  # A background process does not see Ctrl-C by itself.
  trap 'kill "$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.2
    tick=$((tick + 1))
    if [ -t 2 ]; then
      ((tick % 3)) && continue
    else
      ((tick % 75)) && continue
    fi
    [ -z "$folder" ] || size=", $(du -sm "$folder" 2>/dev/null | cut -f1) MB"
    if [ -t 2 ]; then
      printf '\rsetup: %s ... %s s%s ' "$title" "$(seconds_since "$start")" "$size" >&2
    else
      say "$title ... $(seconds_since "$start") s$size"
    fi
  done
  wait "$pid" || rc=$?
  trap - INT TERM
  [ ! -t 2 ] || printf '\r\033[K' >&2
  if [ "$rc" = 0 ]; then
    say "$title: done in $(seconds_since "$start") s"
  fi
  return "$rc"
}

# Words that apt, pip and Maven use when there is no way out of the machine.
looks_offline() {
  grep -qiE 'temporary failure|could not resolve|name or service not known|network is unreachable|connection (refused|timed out)|failed to establish|unknown host|no route to host|max retries|failed to fetch .*(connect|resolv)' "$1"
}

# fail_with_log WHAT LOG WHAT_TO_DO: the end of the log, then fail.
fail_with_log() {
  tail -n 15 "$2" | cut -c1-160 | sed 's/^/  | /' >&2
  if looks_offline "$2"; then
    fail "$1: no package source could be reached (whole log: $2)" \
      "check the network or proxy, then run the same command again; what is already there is kept"
  fi
  fail "$1 (whole log: $2)" "$3"
}
