#include "real/loader/lab_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.hpp"
#include "core/collective/walk.hpp"
#include "core/timeline/timeline.hpp"
#include "real/executor/executor.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/job.hpp"
#include "real/lab/network.hpp"
#include "real/launch/local.hpp"
#include "real/loader/object_reader.hpp"
#include "real/loader/object_server.hpp"
#include "real/loader/run.hpp"
#include "real/transport/tcp.hpp"

namespace lockstep::real {
namespace {

constexpr std::uint16_t storage_port = 8080;  // nothing else listens in the lab's namespaces

/// A process that serves the dataset from a host of the lab, until this object goes.
class StorageNode {
 public:
  StorageNode(const LabNetwork& network, int host, const std::string& folder) {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) throw RunFailure("the storage node: no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ready[0]);
      try {
        network.enter_host(host);
        ObjectServerOptions options;
        options.address = network.address(host);
        options.port = storage_port;
        const ObjectServer server(folder, options);
        [[maybe_unused]] const auto written = ::write(ready[1], "r", 1);
        for (;;) ::pause();
      } catch (const std::exception& error) {
        const std::string why = error.what();
        [[maybe_unused]] const auto written = ::write(ready[1], why.data(), why.size());
      }
      ::_exit(1);
    }
    ::close(ready[1]);
    char word[200];
    const ssize_t got = ::read(ready[0], word, sizeof word);
    ::close(ready[0]);
    if (child_ < 0 || got < 1 || word[0] != 'r') {
      stop();
      throw RunFailure(
          fmt::format("the storage node: {}", std::string(word, got > 0 ? static_cast<std::size_t>(got) : 0)));
    }
  }
  ~StorageNode() { stop(); }
  StorageNode(const StorageNode&) = delete;
  StorageNode& operator=(const StorageNode&) = delete;

 private:
  void stop() const {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    int status = 0;
    ::waitpid(child_, &status, 0);
  }
  pid_t child_ = -1;
};

std::string rank_body(const LoaderLabRequest& request, const JobEnvironment& environment,
                      const std::optional<ObjectStore>& store) {
  const Plan* plan = request.all_reduce;
  const auto control = connect_control(environment, plan != nullptr ? plan_hash(*plan) : request.dataset->sha256,
                                       std::chrono::seconds(30));
  std::optional<TcpTransport> transport;
  std::optional<TransportExecutor> executor;
  LoaderRun run;
  run.rank = environment.rank;
  run.ranks = environment.size;
  run.keep_cache = store.has_value() || environment.rank != 0;  // one of them prepares the machine's page cache
  if (store) run.open = object_reader_of(*request.spec, *request.dataset, *store);
  if (plan != nullptr && environment.size > 1) {
    transport.emplace(*control, peers_of(*plan, environment.rank), TcpOptions{});
    executor.emplace(*control, *transport);
    run.all_reduce = [&](std::int64_t) {
      Timeline timeline;
      executor->execute(*plan, timeline);
    };
  }
  if (plan == nullptr && request.spec->consumer.barrier) run.all_reduce = [&](std::int64_t) { control->barrier(); };
  control->barrier();
  const LoaderOutcome outcome = run_loader(*request.spec, *request.dataset, run);
  const auto all = control->gather(to_json(outcome).dump());
  control->barrier();
  if (environment.rank != 0) return {};
  Json ranks = Json::array();
  for (const auto& one : all) ranks.push_back(Json::parse(one));
  return ranks.dump();
}

}  // namespace

LoaderLabRun run_loader_in_lab(const LoaderLabRequest& request) {
  const int capacity = request.topology->rank_capacity();
  const bool remote = request.spec->storage.kind == "object_store";
  if (request.ranks + (remote ? 1 : 0) > capacity)
    throw InputError(fmt::format("{} ranks{} do not fit: topology '{}' has places for {}", request.ranks,
                                 remote ? " and a storage node" : "", request.topology->name, capacity));
  const std::string text = run_isolated({}, [&](const Isolation& isolation) {
    const LabNetwork network(*request.topology, *request.routing, isolation);
    std::optional<StorageNode> storage;
    std::optional<ObjectStore> store;
    if (remote) {
      store = ObjectStore{network.address(capacity - 1), storage_port};
      storage.emplace(network, capacity - 1, request.dataset->folder);
    }
    LocalRanks ranks;
    ranks.count = request.ranks;
    ranks.enter = [&](int rank) { network.enter_host(rank); };
    ranks.environment = [&](int rank) { return lab_job(network, rank, request.ranks); };
    ranks.body = [&](const JobEnvironment& environment) { return rank_body(request, environment, store); };
    const auto before = network.snapshot();
    const std::string measured = run_local_ranks(ranks);
    network.check();
    const auto wire = LabNetwork::difference(before, network.snapshot());
    nlohmann::ordered_json all{{"measured", measured}, {"as_built", network.as_built(wire)}};
    return all.dump();
  });
  const auto all = Json::parse(text);
  LoaderLabRun run;
  run.as_built = all.at("as_built");
  std::vector<LoaderOutcome> outcomes;
  const Json measured = Json::parse(all.at("measured").get<std::string>());
  for (const auto& rank : measured) outcomes.push_back(loader_outcome_from_json(rank, "rank"));
  run.outcome = together(outcomes);
  return run;
}

}  // namespace lockstep::real
