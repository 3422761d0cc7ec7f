// Does the object server give what was asked for, and does a loader live with one that refuses, stalls or goes away?
#include "real/loader/object_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "core/base/error.hpp"
#include "real/loader/object_reader.hpp"
#include "real/loader/run.hpp"

namespace lockstep::real {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

LoaderSpec small() {
  LoaderSpec spec;
  spec.dataset.samples = 60;
  spec.dataset.size = {.shape = Distribution::Shape::uniform, .mean = 20'000, .deviation = 4'000};
  spec.batch.size = 8;
  spec.readers.workers = 2;
  spec.policy.retry_delay = milliseconds(1);
  spec.policy.timeout = milliseconds(200);
  return spec;
}

class ObjectStoreTest : public testing::Test {
 protected:
  void make(LoaderSpec loader) {
    spec_ = std::move(loader);
    fs::remove_all(folder_);
    make_dataset(spec_.dataset, folder_);
    dataset_ = load_dataset(spec_.dataset, folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  LoaderOutcome run(const ObjectServer& server) {
    LoaderRun options;
    options.open = object_reader_of(spec_, dataset_, {"127.0.0.1", server.port()});
    return run_loader(spec_, dataset_, options);
  }
  std::string failure(const ObjectServer& server) {
    try {
      run(server);
    } catch (const RunFailure& error) {
      return error.what();
    }
    return "no failure";
  }

  std::string folder_ = fs::temp_directory_path() / fmt::format("lockstep_objects_{}", ::getpid());
  LoaderSpec spec_;
  Dataset dataset_;
};

TEST_F(ObjectStoreTest, GivesEverySampleOnce) {
  for (const auto format : {DatasetSpec::Format::files, DatasetSpec::Format::records, DatasetSpec::Format::tar})
    for (const auto kind : {ReadersSpec::Kind::threads, ReadersSpec::Kind::processes}) {
      auto loader = small();
      loader.dataset.format = format;
      loader.readers.kind = kind;
      make(loader);
      const ObjectServer server(folder_, {});
      const auto outcome = run(server);
      EXPECT_EQ(outcome.samples, 60);
      EXPECT_EQ(outcome.wrong, 0);
      EXPECT_EQ(outcome.bytes, dataset_.bytes());
    }
}

TEST_F(ObjectStoreTest, BadObjectsAreWhatTheyAre) {
  for (const auto trouble :
       {Trouble::corrupt, Trouble::missing, Trouble::truncated, Trouble::empty, Trouble::unreadable}) {
    auto loader = small();
    const auto which = static_cast<std::size_t>(trouble);
    loader.dataset.damaged[which] = 2;
    loader.policy.actions[which] = PolicySpec::Action::skip;
    make(loader);
    const ObjectServer server(folder_, {});
    const auto outcome = run(server);
    EXPECT_EQ(outcome.samples, 58) << to_string(trouble);
    EXPECT_EQ(outcome.troubles[which].skipped, 2) << to_string(trouble);
    EXPECT_EQ(outcome.wrong, 0);
  }
}

/// Answers so the first time that a sample is asked for whose number ends in 5.
class Sometimes {
 public:
  explicit Sometimes(ObjectAnswer answer) : answer_(answer) {}
  ObjectAnswer operator()(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (path.find("5.bin") == std::string::npos || !asked_.insert(path).second) return ObjectAnswer::serve;
    return answer_;
  }

 private:
  ObjectAnswer answer_;
  std::mutex mutex_;
  std::set<std::string> asked_;
};

TEST_F(ObjectStoreTest, AServerThatIsUnavailableForAMoment) {
  make(small());
  Sometimes unavailable(ObjectAnswer::unavailable);
  ObjectServerOptions options;
  options.answer = [&](const std::string& path) { return unavailable(path); };
  const ObjectServer server(folder_, options);
  const auto outcome = run(server);
  EXPECT_EQ(outcome.samples, 60);
  const auto& count = outcome.troubles[static_cast<std::size_t>(Trouble::unavailable)];
  EXPECT_EQ(count.seen, 6);  // 5, 15, ..., 55
  EXPECT_EQ(count.retried, 6);
}

TEST_F(ObjectStoreTest, AServerThatStalls) {
  make(small());
  Sometimes stall(ObjectAnswer::stall);
  ObjectServerOptions options;
  options.answer = [&](const std::string& path) { return stall(path); };
  const ObjectServer server(folder_, options);
  const auto outcome = run(server);
  EXPECT_EQ(outcome.samples, 60);
  EXPECT_EQ(outcome.troubles[static_cast<std::size_t>(Trouble::stall)].retried, 6);
}

TEST_F(ObjectStoreTest, AServerThatStaysUnavailableEndsTheRun) {
  auto loader = small();
  make(loader);
  ObjectServerOptions options;
  options.answer = [](const std::string&) { return ObjectAnswer::unavailable; };
  const ObjectServer server(folder_, options);
  EXPECT_THAT(failure(server), HasSubstr("is unavailable, and the policy is 'retry'"));
  spec_.policy.actions[static_cast<std::size_t>(Trouble::unavailable)] = PolicySpec::Action::skip;
  const auto outcome = run(server);
  EXPECT_EQ(outcome.samples, 0);
  EXPECT_EQ(outcome.troubles[static_cast<std::size_t>(Trouble::unavailable)].skipped, 60);
}

TEST_F(ObjectStoreTest, NobodyListens) {
  make(small());
  std::uint16_t port = 0;
  {
    const ObjectServer server(folder_, {});
    port = server.port();
  }
  LoaderRun options;
  options.open = object_reader_of(spec_, dataset_, {"127.0.0.1", port});
  EXPECT_THROW(run_loader(spec_, dataset_, options), RunFailure);
}

TEST(ObjectStoreAddress, IsParsed) {
  const auto store = parse_object_store("http://10.0.0.4:8080");
  EXPECT_EQ(store.address, "10.0.0.4");
  EXPECT_EQ(store.port, 8080);
  EXPECT_EQ(parse_object_store("http://10.0.0.4").port, 80);
  for (const char* wrong :
       {"10.0.0.4", "ftp://10.0.0.4", "http://nowhere:80", "http://10.0.0.4:0", "http://10.0.0.4:x"})
    EXPECT_THROW(parse_object_store(wrong), InputError) << wrong;
}

}  // namespace
}  // namespace lockstep::real
