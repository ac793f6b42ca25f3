#include "tests/odd_files/parts.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <zlib.h>

#include "ops/base/check.h"

namespace swavd::odd_files {

namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20U;

/// What raw deflate makes of `data`, ended by a full flush: such pieces can be
/// laid end to end. The last one of a stream ends it.
ByteVector raw_deflated(Bytes data, bool last) {
  z_stream stream{};
  constexpr int kRaw = -15;
  SWAVD_CHECK(
      deflateInit2(
          &stream,
          Z_BEST_COMPRESSION,
          Z_DEFLATED,
          kRaw,
          /*memLevel=*/9,
          Z_DEFAULT_STRATEGY) == Z_OK);
  ByteVector out(deflateBound(&stream, static_cast<uLong>(data.size())) + 64);
  stream.next_in = const_cast<std::uint8_t*>(data.data());
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, last ? Z_FINISH : Z_FULL_FLUSH);
  SWAVD_CHECK(status == (last ? Z_STREAM_END : Z_OK));
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// Bytes as a bad line or memory leaves them.
ByteVector flipped(ByteVector bytes, Random& random) {
  const std::uint32_t hits = 1 + random.below(4);
  for (std::uint32_t hit = 0; hit < hits; ++hit) {
    const auto size = static_cast<std::uint32_t>(bytes.size());
    bytes[random.below(size)] ^=
        static_cast<std::uint8_t>(1U << random.below(8));
  }
  return bytes;
}

ByteVector without(const ByteVector& file, std::size_t at, std::size_t count) {
  ByteVector rest = cut(file, at);
  rest.insert(
      rest.end(),
      file.begin() + static_cast<std::ptrdiff_t>(at + count),
      file.end());
  return rest;
}

/// Line ends as a transfer in text mode changes them.
ByteVector as_text_mode(const ByteVector& file) {
  ByteVector changed;
  for (const std::uint8_t byte : file) {
    if (byte == '\n') {
      changed.push_back('\r');
    }
    changed.push_back(byte);
  }
  return changed;
}

/// What is left of bytes that were read as UTF-8 and written again.
ByteVector as_utf8(const ByteVector& file) {
  Writer changed;
  for (const std::uint8_t byte : file) {
    if (byte < 0x80) {
      changed.u8(byte);
    } else {
      changed.text("\xef\xbf\xbd");
    }
  }
  return changed.done();
}

}  // namespace

ByteVector picture(std::uint64_t seed, int width, int height, int channels) {
  Random random(stream_key(seed, "picture"));
  const std::uint32_t edge = 2 + random.below(5);
  ByteVector pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        const auto slope =
            static_cast<std::uint32_t>((x + 1) * (c + 2) + 3 * y);
        const bool bright = static_cast<std::uint32_t>(x + y) / edge % 2 == 0;
        pixels.push_back(static_cast<std::uint8_t>(
            slope + (bright ? 90U : 0U) + random.below(8)));
      }
    }
  }
  return pixels;
}

ByteVector deflated(Bytes data) {
  auto size = compressBound(static_cast<uLong>(data.size()));
  ByteVector out(size);
  SWAVD_CHECK(
      compress2(
          out.data(),
          &size,
          data.data(),
          static_cast<uLong>(data.size()),
          Z_BEST_COMPRESSION) == Z_OK);
  out.resize(size);
  return out;
}

ByteVector inflating(int mebibytes, std::uint8_t value) {
  const ByteVector piece(kMebibyte, value);
  const ByteVector packed = raw_deflated(piece, /*last=*/false);
  Writer stream;
  stream.text("\x78\xda");
  const uLong of_piece =
      adler32(adler32(0, nullptr, 0), piece.data(), kMebibyte);
  uLong checksum = adler32(0, nullptr, 0);
  for (int i = 0; i < mebibytes; ++i) {
    stream.bytes(packed);
    checksum = adler32_combine(checksum, of_piece, kMebibyte);
  }
  stream.bytes(raw_deflated({}, /*last=*/true));
  return stream.big(static_cast<std::uint32_t>(checksum), 4).done();
}

ByteVector cut(const ByteVector& file, std::size_t size) {
  return {
      file.begin(),
      file.begin() + static_cast<std::ptrdiff_t>(std::min(size, file.size()))};
}

ByteVector overwritten(ByteVector file, std::size_t at, Bytes part) {
  SWAVD_CHECK(at + part.size() <= file.size());
  std::copy(
      part.begin(), part.end(), file.begin() + static_cast<std::ptrdiff_t>(at));
  return file;
}

namespace {

void add_damaged_copies(
    const OddFile& file,
    const std::vector<Part>& parts,
    std::uint64_t seed,
    Files& files) {
  const auto add = [&](const std::string& what, ByteVector bytes) {
    files.push_back(
        {file.name + "/" + what, Kind::kDamaged, "", std::move(bytes)});
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const std::string name = fmt::format("{}-{}", i, part.name);
    add("cut-before-" + name, cut(file.bytes, part.at));
    add("cut-behind-the-name-of-" + name, cut(file.bytes, part.at + 4));
    add("cut-within-" + name, cut(file.bytes, (part.at + part.end) / 2));
    add("without-" + name, without(file.bytes, part.at, part.end - part.at));
    ByteVector twice = cut(file.bytes, part.end);
    twice.insert(
        twice.end(),
        file.bytes.begin() + static_cast<std::ptrdiff_t>(part.at),
        file.bytes.end());
    add("twice-" + name, std::move(twice));
  }
  const std::size_t size = file.bytes.size();
  for (const std::size_t left : {1U, 2U, 3U, 7U, 8U, 12U, 20U}) {
    add(fmt::format("cut-to-{}-bytes", left), cut(file.bytes, left));
  }
  add("cut-by-a-byte", cut(file.bytes, size - 1));
  add("cut-by-half", cut(file.bytes, size / 2));
  Random random(stream_key(seed, file.name));
  constexpr int kCopies = 6;
  for (int copy = 0; copy < kCopies; ++copy) {
    add(fmt::format("flipped-bits-{}", copy), flipped(file.bytes, random));
  }
  add("zeros-in-the-middle",
      overwritten(file.bytes, size / 2, ByteVector(size / 8, 0)));
  add("ones-in-the-middle",
      overwritten(file.bytes, size / 2, ByteVector(size / 8, 0xff)));
  add("zeros-from-the-middle-on",
      overwritten(file.bytes, size / 2, ByteVector(size - size / 2, 0)));
  add("without-a-stretch", without(file.bytes, size / 3, size / 10));
  add("sent-as-text", as_text_mode(file.bytes));
  add("read-as-utf8", as_utf8(file.bytes));
  add("trailing-garbage", Writer().bytes(file.bytes).fill(1000, 0xa5).done());
  add("trailing-copy", Writer().bytes(file.bytes).bytes(file.bytes).done());
  add("behind-a-newline", Writer().text("\r\n").bytes(file.bytes).done());
}

}  // namespace

const OddFile& named(const Files& files, std::string_view name) {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const OddFile& file) {
        return file.name == name;
      });
  SWAVD_CHECK(found != files.end());
  return *found;
}

void add_damaged(
    std::span<const std::string_view> names,
    std::vector<Part> (*parts_of)(const ByteVector& file),
    std::uint64_t seed,
    Files& files) {
  for (const std::string_view name : names) {
    const OddFile whole = named(files, name);
    add_damaged_copies(whole, parts_of(whole.bytes), seed, files);
  }
}

}  // namespace swavd::odd_files
