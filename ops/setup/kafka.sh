# shellcheck shell=bash disable=SC2154 # $deps, $here and $root come from setup
# Sourced by setup: the jars of a real Apache Kafka broker, for tests.

# need_kafka FOLDER: $deps/kafka holds the jars that FOLDER/pom.xml asks for, each
# equal to its line in FOLDER/kafka.sha256.
need_kafka() {
  local from=$1 stamp partial=$deps/kafka.partial log=$deps/log/kafka.log
  stamp=$(cat "$from/pom.xml" "$from/kafka.sha256" | sha256sum | cut -c1-16)
  if [ "$(cat "$deps/kafka/STAMP" 2>/dev/null)" = "$stamp" ]; then
    return
  fi
  mkdir -p "$deps/cache" "$deps/log"
  rm -rf "$partial"
  # A repository of its own: what is fetched stays out of the user's home, and
  # goes away with the last step.
  follow "fetching Apache Kafka (44 MB)" "$log" "$deps/cache" \
    mvn --batch-mode --strict-checksums --file "$from/pom.xml" \
    -Dmaven.repo.local="$deps/cache/maven" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$partial" -DincludeScope=runtime ||
    fail_with_log "Apache Kafka could not be fetched" "$log" \
      "see that Maven reaches its repository (settings.xml), then run the same command again"
  (cd "$partial" && sha256sum --check --quiet "$from/kafka.sha256") >>"$log" 2>&1 ||
    fail_with_log "a jar of Kafka is not the recorded one" "$log" \
      "remove $deps/cache/maven and run again; if it persists, the repository was changed"
  [ "$(find "$partial" -name '*.jar' | wc -l)" = "$(wc -l <"$from/kafka.sha256")" ] ||
    fail "Maven brought other jars than $from/kafka.sha256 lists" \
      "after a change of pom.xml, record its jars there anew"
  echo "$stamp" >"$partial/STAMP"
  rm -rf "$deps/kafka"
  mv "$partial" "$deps/kafka"
  rm -rf "$deps/cache/maven"
}
