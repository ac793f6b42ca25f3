# For the benchmarks that run the programs whole. Sourced; gives:
#
#   bin            where the programs are
#   work           a folder that is gone in the end
#   fill_stream URL PATH IMAGES
#
# which pushes PATH until the stream holds IMAGES, whatever it rejects, and
#
#   run_daemon DIR IMAGES STREAM_URL PRESET [KEY=VALUE...]
#
# which trains on so many images, with its data in DIR,
# after which $rate is its images/s between the first and the last step seen
# ("null" when it was over before two were),
# DIR/metrics the last page of metrics, and DIR/progress a line of seconds, images
# and snapshots each time that the images were seen to grow; and
#
#   learn TAR IMAGES DIR PRESET [KEY=VALUE...]
#
# which trains on the TAR of labelled pictures, as often as it takes, but for its
# last $hold_out, and gives $rate, $loss (the daemon's smoothed one at the end)
# and $knn, the JSON of `swavd eval knn` with the held out pictures as queries
# ($queries of them, 2,000 unless set) against 10,000 of the others. Its stream is
# made by
#
#   publish TAR IMAGES DIR
#
# with so many images, rounded up to whole passes.
#
# Needs: ops/setup/setup build test
# shellcheck shell=bash

command -v curl >/dev/null || { echo "bench: no curl here; run: ops/setup/setup test" >&2; exit 1; }
bin=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../build/bin" && pwd)
port=${BENCH_PORT:-9555}
work=$(mktemp -d "${TMPDIR:-/tmp}/swavd-bench.XXXXXX")
daemon=
at_end() {
  [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true
  rm -rf "$work"
}
trap at_end EXIT

# metric FILE NAME: the value of a series, labels and all.
metric() { awk -v m="$2" '$1 == m { print $2 }' "$1"; }

fill_stream() {
  local have=0 some
  while ((have < $3)); do
    some=$("$bin/swavd-crawl" push --to "$1" "$2" | sed 's/.*"published":\([0-9]*\).*/\1/')
    ((some > 0)) || { echo "bench: $2 has nothing to publish" >&2; exit 1; }
    have=$((have + some))
  done
}

run_daemon() {
  local dir=$1 images=$2 url=$3 preset=$4 more=() key
  local now first='' last='' first_at='' last_at=''
  for key in "${@:5}"; do more+=(--set "$key"); done
  mkdir -p "$dir"
  : >"$dir/progress"
  cat >"$dir/swavd.toml" <<CONFIG
run = "bench"
data_dir = "$dir/data"
stream.url = "$url"
model.preset = "$preset"
snapshot.every = "1d"
http.listen = "127.0.0.1:$port"
CONFIG
  "$bin/swavd" run --config "$dir/swavd.toml" "${more[@]}" --stop-after-images "$images" 2>"$dir/log" &
  daemon=$!
  while kill -0 "$daemon" 2>/dev/null; do
    sleep 0.2
    curl -fsS "http://127.0.0.1:$port/metrics" >"$dir/page" 2>/dev/null || continue
    now=$(metric "$dir/page" swavd_train_images_total)
    [[ -n $now && $now != 0 ]] || continue
    mv "$dir/page" "$dir/metrics"
    [[ -n $first ]] || { first=$now first_at=$EPOCHREALTIME; }
    # The moment at which the count was last seen to grow.
    [[ $now != "$last" ]] || continue
    last=$now last_at=$EPOCHREALTIME
    printf '%s %s %s\n' "$last_at" "$now" \
      "$(metric "$dir/metrics" swavd_snapshot_stall_seconds_count)" >>"$dir/progress"
  done
  wait "$daemon" || { cat "$dir/log" >&2; daemon=; return 1; }
  daemon=
  # shellcheck disable=SC2034  # for the caller
  rate=$(awk -v n="$((last - first))" -v a="$first_at" -v b="$last_at" \
    'BEGIN { if (b > a) printf "%.1f", n / (b - a); else print "null" }')
}

hold_out=5000

publish() {
  local tar=$1 passes=() per_pass left
  per_pass=$(($(tar tf "$tar" | grep -c '[^/]$') - hold_out))
  for ((left = $2; left > 0; left -= per_pass)); do passes+=("$tar"); done
  mkdir -p "$3"
  "$bin/swavd-crawl" push --hold-out "$hold_out" --to "log://$3/stream/images" \
    "${passes[@]}" >"$3/push.json"
}

learn() {
  local tar=$1 images=$2 dir=$3
  publish "$@"
  run_daemon "$dir" "$images" "log://$dir/stream/images" "${@:4}"
  # shellcheck disable=SC2034  # for the caller
  loss=$("$bin/swavctl" snapshots show "$dir/data" | sed -n 's/^health.*loss \([0-9.]*\).*/\1/p')
  # shellcheck disable=SC2034
  knn=$("$bin/swavd" eval knn --snapshot "$dir/data" --train "$tar" --hold-out "$hold_out" \
    --bank 10000 --queries "${queries:-2000}" --json)
}
