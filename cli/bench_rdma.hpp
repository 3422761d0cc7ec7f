// `lockstep bench rdma_write|rdma_read|rdma_send`: perftest's tables out of the model of RDMA (sim/rdma/).
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "cli/settings.hpp"

namespace lockstep::cli {

/// The names that `bench` takes beside collectives.
std::vector<std::string> rdma_bench_names();
bool is_rdma_bench(const std::string& name);

/// What `bench` reads for collectives too; none: not given.
struct RdmaSweep {
  std::string name;
  std::string topology;
  std::optional<Bytes> begin, end;
  std::int64_t factor = 2;
  std::optional<std::int64_t> iterations;
};

/// The options that only these tests have.
class RdmaBench {
 public:
  void declare(CLI::App& app);
  /// Throws InputError naming an option that was given and is none of `collective`.
  void refuse_for(const std::string& collective) const;
  /// Returns the exit code. Throws InputError for what does not fit, and for options of collectives that were given.
  [[nodiscard]] int run(const RdmaSweep& sweep, const Settings& settings, const OutputOptions& output) const;

 private:
  struct Options {
    std::string size, software = "verbs", nic, gpu, from, to, registration = "cached", post = "blueflame", test = "all",
                      profile;
    std::optional<std::int64_t> mtu, inlined, moderation;
    std::int64_t depth = 128, queue_pairs = 1, max_payload = 256, max_read_request = 512;
    bool all = false, immediate = false;
  };
  Options options_;
  CLI::App* app_ = nullptr;
  std::vector<CLI::Option*> own_;
};

}  // namespace lockstep::cli
