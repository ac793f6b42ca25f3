#include "state/rocks/sst_snapshot.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>

#include "state/rocks/database.h"
#include "state/rocks/keys.h"

namespace swavd::state {

namespace {

/// Large enough that a table of gigabytes needs a few hundred index entries,
/// small enough that writer and reader hold only some of it in memory.
constexpr std::size_t kChunkBytes = 8U << 20U;

/// Cuts one file into chunks of the table.
class ChunkWriter {
 public:
  ChunkWriter(
      rocksdb::SstFileWriter& table,
      std::uint64_t commit,
      std::string file,
      const std::function<void(std::uint64_t)>& written)
      : table_(table),
        commit_(commit),
        file_(std::move(file)),
        written_(written) {}

  [[nodiscard]] Status write(Bytes bytes) {
    while (!bytes.empty()) {
      // A whole chunk at hand goes out without being copied first.
      if (pending_.empty() && bytes.size() >= kChunkBytes) {
        SWAVD_RETURN_IF_ERROR(put(bytes.first(kChunkBytes)));
        bytes = bytes.subspan(kChunkBytes);
        continue;
      }
      const std::size_t taken =
          std::min(bytes.size(), kChunkBytes - pending_.size());
      pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + taken);
      bytes = bytes.subspan(taken);
      if (pending_.size() == kChunkBytes) {
        SWAVD_RETURN_IF_ERROR(flush());
      }
    }
    return ok_status();
  }

  [[nodiscard]] Status flush() {
    if (pending_.empty()) {
      return ok_status();
    }
    const Status status = put(pending_);
    pending_.clear();
    return status;
  }

 private:
  [[nodiscard]] Status put(Bytes chunk) {
    const rocksdb::Status status = table_.Put(
        chunk_key(commit_, file_, chunk_++), rocksdb::Slice(as_text(chunk)));
    if (!status.ok()) {
      return rocks_error(status, "write " + file_);
    }
    if (written_) {
      written_(chunk.size());
    }
    return ok_status();
  }

  rocksdb::SstFileWriter& table_;
  std::uint64_t commit_;
  std::string file_;
  const std::function<void(std::uint64_t)>& written_;
  std::uint32_t chunk_ = 0;
  ByteVector pending_;
};

/// A table's keys must ascend, and "a.b/" sorts before "a/".
std::vector<const ContentFile*> in_key_order(
    const std::vector<ContentFile>& content) {
  std::vector<const ContentFile*> order;
  for (const ContentFile& file : content) {
    order.push_back(&file);
  }
  std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
    return a->name + "/" < b->name + "/";
  });
  return order;
}

}  // namespace

Result<SstSnapshot> write_sst_snapshot(
    const std::filesystem::path& path,
    const std::vector<ContentFile>& content,
    Manifest manifest,
    const std::function<void(std::uint64_t)>& written) {
  const rocksdb::Options options(
      rocksdb::DBOptions{}, snapshot_table_options());
  rocksdb::SstFileWriter table(rocksdb::EnvOptions(), options);
  rocksdb::Status status = table.Open(path.string());
  if (!status.ok()) {
    return rocks_error(status, "create " + path.string());
  }
  std::vector<FileEntry> files;
  for (const ContentFile* file : in_key_order(content)) {
    ChunkWriter chunks(table, manifest.commit, file->name, written);
    auto entry =
        write_content(*file, [&](Bytes bytes) { return chunks.write(bytes); });
    if (!entry.ok()) {
      return entry.error();
    }
    SWAVD_RETURN_IF_ERROR(chunks.flush());
    files.push_back(std::move(entry).value());
  }
  SstSnapshot snapshot{{}, with_files(std::move(manifest), std::move(files))};
  const std::string text = to_json(snapshot.manifest);
  snapshot.id = snapshot_id(snapshot.manifest.step, text);
  status = table.Put(manifest_key(snapshot.manifest.commit), text);
  if (status.ok()) {
    status = table.Finish();  // syncs the file
  }
  if (!status.ok()) {
    return rocks_error(status, "finish " + path.string());
  }
  return snapshot;
}

std::uint64_t sst_bytes(
    const std::vector<ContentFile>& content,
    const Manifest& manifest) {
  // Index entry, block trailer and key of a chunk are below 1 KiB.
  constexpr std::uint64_t kPerChunk = 1024;
  constexpr std::uint64_t kTableFooter = 64U << 10U;
  std::uint64_t bytes = kTableFooter + to_json(manifest).size();
  for (const ContentFile& file : content) {
    bytes += file.bytes + kPerChunk * (file.bytes / kChunkBytes + 2);
  }
  return bytes;
}

}  // namespace swavd::state
