#include "real/loader/dataset.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "core/base/error.hpp"
#include "core/base/hash.hpp"
#include "core/base/json.hpp"
#include "core/base/number.hpp"
#include "real/loader/checksum.hpp"

namespace lockstep::real {
namespace {

namespace fs = std::filesystem;
using Format = DatasetSpec::Format;

constexpr std::string_view schema = "lockstep.dataset/1";
constexpr std::int64_t files_per_folder = 1000;

const char* name_of(Format format) {
  switch (format) {
    case Format::files:
      return "files";
    case Format::records:
      return "records";
    case Format::tar:
      return "tar";
    case Format::tokens:
      return "tokens";
  }
  return "";
}

/// What the manifest repeats of the section: a dataset of another section is another dataset.
Json origin_of(const DatasetSpec& spec) {
  Json size = {spec.size.mean, spec.size.deviation, static_cast<int>(spec.size.shape)};
  for (const auto value : spec.size.quantiles) size.push_back(value);
  return Json{{"format", name_of(spec.format)},
              {"content", spec.content == DatasetSpec::Content::jpeg ? "jpeg" : "random"},
              {"samples", spec.samples},
              {"size", size},
              {"samples_per_shard", spec.format == Format::files ? 1 : spec.samples_per_shard},
              {"width", spec.image_width},
              {"height", spec.image_height},
              {"alignment", spec.alignment.count()},
              {"seed", spec.seed},
              {"damaged", spec.damaged}};
}

class Contents {
 public:
  explicit Contents(const DatasetSpec& spec) : spec_(spec) {
    if (spec.content == DatasetSpec::Content::jpeg) jpeg_.emplace(spec.image_width, spec.image_height);
  }
  std::vector<std::byte> of(std::int64_t index) {
    const std::uint64_t key = mix64(static_cast<std::uint64_t>(spec_.seed)) ^ static_cast<std::uint64_t>(index);
    const std::int64_t bytes = spec_.bytes_of(index);
    if (jpeg_) return jpeg_->make(bytes, key);
    std::vector<std::byte> data(static_cast<std::size_t>(bytes));
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < data.size(); at += 8) {
      const std::uint64_t word = mix64(key + mix64(count++));
      std::memcpy(data.data() + at, &word, std::min<std::size_t>(8, data.size() - at));
    }
    return data;
  }

 private:
  const DatasetSpec& spec_;
  std::optional<JpegMaker> jpeg_;
};

/// The header of a file in a tar archive (POSIX ustar).
std::string tar_header(const std::string& name, std::int64_t bytes) {
  std::string header(512, '\0');
  const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", bytes));
  put(136, "00000000000");
  put(148, "        ");
  header[156] = '0';
  put(257, std::string("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header;
}

void write(std::ofstream& file, std::span<const std::byte> data) {
  file.write(reinterpret_cast<const char*>(data.data()), static_cast<std::streamsize>(data.size()));
}

void damage(Trouble trouble, std::vector<std::byte>& data, std::int64_t index) {
  switch (trouble) {
    case Trouble::corrupt:
      data[mix64(static_cast<std::uint64_t>(index)) % data.size()] ^= std::byte{0x55};
      break;
    case Trouble::truncated:
      data.resize(data.size() / 2);
      break;
    case Trouble::empty:
      data.clear();
      break;
    default:
      break;
  }
}

}  // namespace

std::int64_t Dataset::bytes() const {
  std::int64_t sum = 0;
  for (const auto& sample : samples) sum += sample.bytes;
  return sum;
}

std::int64_t Dataset::largest() const {
  std::int64_t largest = 0;
  for (const auto& sample : samples) largest = std::max(largest, sample.bytes);
  return largest;
}

void make_dataset(const DatasetSpec& spec, const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder)) throw InputError(fmt::format("{}: cannot be made a folder", folder));
  if (!fs::is_empty(folder))
    throw InputError(fmt::format("{}: is not empty; a dataset gets a folder of its own", folder));
  const DamagedSamples damaged(spec);
  Contents contents(spec);
  Json files = Json::array(), samples = Json::array();
  std::ofstream shard;
  std::int64_t offset = 0;
  const auto open = [&](const std::string& name) {
    const std::string path = folder + "/" + name;
    fs::create_directories(fs::path(path).parent_path());
    shard = std::ofstream(path, std::ios::binary);
    if (!shard) throw RunFailure(fmt::format("{}: cannot be written", path));
    files.push_back(name);
    offset = 0;
  };
  const auto close = [&] {
    if (!shard.is_open()) return;
    if (spec.format == Format::tar) shard << std::string(1024, '\0');
    shard.close();
    if (!shard) throw RunFailure(fmt::format("{}: the disk is full, or cannot be written", folder));
  };
  for (std::int64_t index = 0; index < spec.samples; ++index) {
    std::vector<std::byte> data = contents.of(index);
    const std::uint64_t sum = checksum(data);
    const auto bytes = static_cast<std::int64_t>(data.size());
    const auto trouble = damaged.of(index);
    if (trouble) damage(*trouble, data, index);
    if (spec.format == Format::files) {
      const char* ending = spec.content == DatasetSpec::Content::jpeg ? "jpg" : "bin";
      open(fmt::format("{:05}/{:08}.{}", index / files_per_folder, index, ending));
      write(shard, data);
      close();
      const std::string path = folder + "/" + files.back().get<std::string>();
      if (trouble == Trouble::missing || trouble == Trouble::unreadable) fs::remove(path);
      if (trouble == Trouble::unreadable) fs::create_directory(path);
    } else {
      if (index % spec.samples_per_shard == 0) {
        close();
        open(fmt::format("shard-{:06}.{}", index / spec.samples_per_shard, name_of(spec.format)));
      }
      if (spec.format == Format::tar) {
        shard << tar_header(fmt::format("{:08}.bin", index), bytes);
        offset += 512;
      }
    }
    samples.push_back({files.size() - 1, offset, bytes, fmt::format("{:016x}", sum)});
    if (spec.format == Format::files) continue;
    write(shard, data);
    const std::int64_t unit = spec.format == Format::tar ? 512 : std::max<std::int64_t>(spec.alignment.count(), 1);
    const std::int64_t padding = (unit - bytes % unit) % unit;
    shard << std::string(static_cast<std::size_t>(padding), '\0');
    offset += bytes + padding;
  }
  close();
  const Json manifest{{"schema", schema}, {"origin", origin_of(spec)}, {"files", files}, {"samples", samples}};
  std::ofstream(folder + "/manifest.json", std::ios::binary) << manifest.dump() << '\n';
  ::sync();  // pages that are not written yet cannot be dropped
}

Dataset load_dataset(const DatasetSpec& spec, const std::string& folder) {
  const std::string path = folder + "/manifest.json";
  if (!fs::exists(path))
    throw InputError(fmt::format("{}: no such file; 'lockstep dataset make' writes a dataset", path));
  const std::string text = read_text_file(path);
  const Json json = parse_json(text, path);
  const JsonValue root(json, path);
  if (root.required("schema").text() != schema) root.fail(fmt::format("expected '{}'", schema));
  if (const Json origin = origin_of(spec); root.required("origin").json() != origin) {
    for (const auto& [key, value] : origin.items())
      if (!root.json()["origin"].contains(key) || root.json()["origin"][key] != value)
        throw InputError(fmt::format("{}: this dataset was made from another workload: its '{}' differs", path, key));
    root.fail("this dataset was made from another workload");
  }
  Dataset dataset;
  dataset.folder = folder;
  dataset.sha256 = sha256(text);
  for (const auto& file : root.required("files").items()) dataset.files.push_back(file.text());
  for (const auto& entry : root.required("samples").items()) {
    const auto cells = entry.items();
    if (cells.size() != 4) entry.fail("expected [file, offset, bytes, checksum]");
    const auto sum = whole_number_in<std::uint64_t>(cells[3].text(), 16);
    if (!sum) cells[3].fail("expected 16 hexadecimal digits");
    dataset.samples.push_back(
        {.file = static_cast<std::uint32_t>(cells[0].integer(0, static_cast<std::int64_t>(dataset.files.size()) - 1)),
         .offset = cells[1].integer(0),
         .bytes = cells[2].integer(1),
         .checksum = *sum});
  }
  if (static_cast<std::int64_t>(dataset.samples.size()) != spec.samples)
    root.fail(fmt::format("{} samples, and the workload has {}", dataset.samples.size(), spec.samples));
  return dataset;
}

}  // namespace lockstep::real
