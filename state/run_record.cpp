#include "state/run_record.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "ops/base/clock.h"
#include "state/content/strict_json.h"

namespace swavd::state {

namespace {

using RecordJson = nlohmann::ordered_json;

constexpr std::string_view kRecordFormat = "swavd-run/1";
constexpr std::size_t kRecordDepth = 4;

Error not_a_record(const std::string& what) {
  return Error{ErrorCode::kCorruption, "not the record of a run: " + what};
}

/// Reads fields one after the other and remembers the first that is wrong.
class FieldReader {
 public:
  explicit FieldReader(const RecordJson& json) : json_(json) {}

  std::string text(const char* name) {
    const RecordJson* field = find(name);
    if (field == nullptr || !field->is_string()) {
      return wrong<std::string>(name);
    }
    return field->get<std::string>();
  }

  std::uint64_t number(const char* name) {
    const RecordJson* field = find(name);
    if (field == nullptr || !field->is_number_unsigned()) {
      return wrong<std::uint64_t>(name);
    }
    return field->get<std::uint64_t>();
  }

  bool flag(const char* name) {
    const RecordJson* field = find(name);
    if (field == nullptr || !field->is_boolean()) {
      return wrong<bool>(name);
    }
    return field->get<bool>();
  }

  const RecordJson& part(const char* name) {
    static const RecordJson kNothing;
    const RecordJson* field = find(name);
    if (field == nullptr) {
      (void)wrong<bool>(name);
      return kNothing;
    }
    return *field;
  }

  [[nodiscard]] const std::string& first_wrong() const { return wrong_; }

 private:
  [[nodiscard]] const RecordJson* find(const char* name) const {
    const auto field = json_.is_object() ? json_.find(name) : json_.end();
    return json_.is_object() && field != json_.end() ? &*field : nullptr;
  }

  template <typename T>
  T wrong(const char* name) {
    if (wrong_.empty()) {
      wrong_ = name;
    }
    return T{};
  }

  const RecordJson& json_;
  std::string wrong_;
};

Result<Rollback> parse_rollback(const RecordJson& json) {
  FieldReader fields(json);
  Rollback rollback;
  rollback.generation = fields.number("generation");
  rollback.id = fields.text("id");
  rollback.start_generation = fields.number("start_generation");
  rollback.start_commit = fields.number("start_commit");
  if (!fields.first_wrong().empty()) {
    return not_a_record("rollbacks: " + fields.first_wrong());
  }
  return rollback;
}

}  // namespace

RunOwner this_process() {
  std::random_device source;
  constexpr std::size_t kLongest = 256;
  std::array<char, kLongest> host{};
  (void)::gethostname(host.data(), host.size() - 1);
  return {
      fmt::format("{:08x}{:08x}", source(), source()), host.data(), ::getpid()};
}

std::string to_string(const RunOwner& owner) {
  return fmt::format("{}, process {}", owner.host, owner.pid);
}

std::string to_json(const RunRecord& record) {
  RecordJson rollbacks = RecordJson::array();
  for (const Rollback& rollback : record.rollbacks) {
    rollbacks.push_back(
        {{"generation", rollback.generation},
         {"id", rollback.id},
         {"start_generation", rollback.start_generation},
         {"start_commit", rollback.start_commit}});
  }
  return RecordJson{
      {"format", kRecordFormat},
      {"run", record.run},
      {"object_store", record.object_store},
      {"generation", record.generation},
      {"owner",
       {{"id", record.owner.id},
        {"host", record.owner.host},
        {"pid", static_cast<std::uint64_t>(record.owner.pid)}}},
      {"held", record.held},
      {"beat", record.beat},
      {"expiry_ms", static_cast<std::uint64_t>(record.expiry.count())},
      {"renewed", format_utc(record.renewed_ms)},
      {"newest", {{"id", record.newest_id}, {"commit", record.newest_commit}}},
      {"rollbacks", std::move(rollbacks)}}
      .dump(-1, ' ', false, RecordJson::error_handler_t::replace);
}

Result<RunRecord> parse_run_record(std::string_view text) {
  const auto json = parse_strict_json<RecordJson>(text, kRecordDepth);
  if (!json.ok()) {
    return json.error();
  }
  FieldReader fields(json.value());
  if (const std::string format = fields.text("format");
      format != kRecordFormat) {
    return not_a_record("format is \"" + format + "\"");
  }
  RunRecord record;
  record.run = fields.text("run");
  record.object_store = fields.text("object_store");
  record.generation = fields.number("generation");
  record.held = fields.flag("held");
  record.beat = fields.number("beat");
  record.expiry = std::chrono::milliseconds(fields.number("expiry_ms"));
  FieldReader owner(fields.part("owner"));
  record.owner.id = owner.text("id");
  record.owner.host = owner.text("host");
  record.owner.pid = static_cast<std::int64_t>(owner.number("pid"));
  FieldReader newest(fields.part("newest"));
  record.newest_id = newest.text("id");
  record.newest_commit = newest.number("commit");
  for (const RecordJson& one : fields.part("rollbacks")) {
    auto rollback = parse_rollback(one);
    if (!rollback.ok()) {
      return rollback.error();
    }
    record.rollbacks.push_back(std::move(rollback).value());
  }
  for (const FieldReader* part : {&fields, &owner, &newest}) {
    if (!part->first_wrong().empty()) {
      return not_a_record(part->first_wrong());
    }
  }
  record.rollbacks = merge_rollbacks(std::move(record.rollbacks), {});
  return record;
}

std::vector<Rollback> merge_rollbacks(
    std::vector<Rollback> a,
    const std::vector<Rollback>& b) {
  a.insert(a.end(), b.begin(), b.end());
  const auto key = [](const Rollback& rollback) {
    return std::tie(rollback.generation, rollback.id);
  };
  std::sort(a.begin(), a.end(), [&](const Rollback& x, const Rollback& y) {
    return key(x) < key(y);
  });
  a.erase(
      std::unique(
          a.begin(),
          a.end(),
          [&](const Rollback& x, const Rollback& y) {
            return key(x) == key(y);
          }),
      a.end());
  return a;
}

bool on_line(
    const std::vector<Rollback>& rollbacks,
    std::uint64_t generation,
    std::uint64_t commit) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  // Walks back along the line, from bend to bend; `end` is where the part
  // that is left of it ends.
  std::pair<std::uint64_t, std::uint64_t> end{kLast, kLast};
  const std::pair<std::uint64_t, std::uint64_t> here{generation, commit};
  for (auto bend = rollbacks.rbegin(); bend != rollbacks.rend(); ++bend) {
    if (end.first < bend->generation) {
      continue;  // the line left this part of the run before the bend
    }
    if (generation >= bend->generation) {
      return here <= end;
    }
    end = {bend->start_generation, bend->start_commit};
  }
  return here <= end;
}

}  // namespace swavd::state
