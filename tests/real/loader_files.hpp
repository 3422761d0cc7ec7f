// Datasets in folders of their own, for tests of real loaders.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "real/loader/dataset.hpp"

namespace lockstep::test {

/// A folder of its own on a file system whose page cache can be dropped.
class LoaderFiles {
 public:
  explicit LoaderFiles(DatasetSpec spec) : spec_(std::move(spec)) {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() / fmt::format("lockstep_loader_{}_{}", ::getpid(), count++);
    real::make_dataset(spec_, path_);
  }
  ~LoaderFiles() { std::filesystem::remove_all(path_); }
  LoaderFiles(const LoaderFiles&) = delete;
  LoaderFiles& operator=(const LoaderFiles&) = delete;
  [[nodiscard]] real::Dataset load() const { return real::load_dataset(spec_, path_); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  DatasetSpec spec_;
  std::filesystem::path path_;
};

/// Samples of about 20 kB, two workers, batches of eight.
inline LoaderSpec small_loader(std::int64_t samples = 60) {
  LoaderSpec spec;
  spec.dataset.samples = samples;
  spec.dataset.size = {.shape = Distribution::Shape::uniform, .mean = 20'000, .deviation = 4'000};
  spec.dataset.samples_per_shard = 25;
  spec.batch.size = 8;
  spec.readers.workers = 2;
  return spec;
}

}  // namespace lockstep::test
