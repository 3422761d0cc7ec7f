// A dataset on disk: generated from a section `dataset:`, described by manifest.json beside it.
//
// Contract:
//  - what is generated follows from the section alone (its seed): the same files, the same checksums;
//  - the manifest says of every sample in which file it is, where, how long, and its checksum, as it was before samples
//    were damaged on purpose;
//  - `unreadable` is a folder in the place of the file: reading it is refused to root as well.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/loader/spec.hpp"

namespace lockstep::real {

struct StoredSample {
  std::uint32_t file = 0;
  std::int64_t offset = 0;
  std::int64_t bytes = 0;
  std::uint64_t checksum = 0;
};

struct Dataset {
  std::string folder;
  std::vector<std::string> files;  ///< relative to the folder
  std::vector<StoredSample> samples;
  std::string sha256;  ///< of the manifest
  [[nodiscard]] std::string path_of(std::uint32_t file) const { return folder + "/" + files[file]; }
  [[nodiscard]] std::int64_t bytes() const;
  [[nodiscard]] std::int64_t largest() const;
};

/// Writes the dataset into `folder`, which must not exist or be empty. Throws InputError, RunFailure.
void make_dataset(const DatasetSpec& spec, const std::string& folder);

/// Reads the manifest; throws InputError if there is none, or if it was generated from another section.
Dataset load_dataset(const DatasetSpec& spec, const std::string& folder);

/// An image of noise on a gradient as JPEG of about `bytes` bytes; `key` chooses the noise.
class JpegMaker {
 public:
  JpegMaker(int width, int height);
  std::vector<std::byte> make(std::int64_t bytes, std::uint64_t key);

 private:
  std::vector<std::byte> encode(double amplitude, std::uint64_t key);
  int width_, height_;
  std::vector<std::pair<double, double>> sizes_;  // amplitude of the noise, bytes
  std::vector<unsigned char> pixels_;
};

}  // namespace lockstep::real
