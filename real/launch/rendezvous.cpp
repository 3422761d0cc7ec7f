#include "real/launch/rendezvous.hpp"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>

#include "core/base/error.hpp"
#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "core/base/version.hpp"

namespace lockstep::real {
namespace asio = boost::asio;
using asio::ip::tcp;
using json = nlohmann::ordered_json;
using namespace std::chrono_literals;
namespace {

constexpr std::uint64_t largest_frame = std::uint64_t{1} << 40;
constexpr auto retry_pause = 50ms;
// After one rank was found not to fit, the others get so long to come and be told the same.
constexpr auto time_for_the_rest = 1s;

struct Hello {
  int protocol = control_protocol;
  std::string program = version;
  int rank = 0;
  int size = 1;
  std::string agreement;
  std::string launcher;
};

std::string write(const Hello& hello) {
  return json{{"protocol", hello.protocol}, {"program", hello.program},     {"rank", hello.rank},
              {"size", hello.size},         {"agreement", hello.agreement}, {"launcher", hello.launcher}}
      .dump(-1, ' ', true, json::error_handler_t::replace);
}

std::optional<Hello> read_hello(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  try {
    Hello hello;
    hello.protocol = value.value("protocol", 0);
    hello.program = value.value("program", std::string("?"));
    hello.rank = value.at("rank").get<int>();
    hello.size = value.at("size").get<int>();
    hello.agreement = value.value("agreement", std::string());
    hello.launcher = value.value("launcher", std::string());
    return hello;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

std::string seconds(std::chrono::milliseconds duration) {
  return fmt::format("{:g} s", static_cast<double>(duration.count()) / 1000.0);
}

std::string place(const JobEnvironment& environment) {
  const std::string& address = environment.master_address;
  if (address.find(':') != std::string::npos) return fmt::format("[{}]:{}", address, environment.master_port);
  return fmt::format("{}:{}", address, environment.master_port);
}

std::string shortened(const std::string& agreement) {
  return agreement.size() > 16 ? agreement.substr(0, 16) + "..." : agreement;
}

std::vector<tcp::endpoint> resolve(asio::io_context& events, const JobEnvironment& environment) {
  tcp::resolver resolver(events);
  boost::system::error_code error;
  const auto results = resolver.resolve(environment.master_address, std::to_string(environment.master_port), error);
  std::vector<tcp::endpoint> endpoints;
  for (const auto& result : results) endpoints.push_back(result.endpoint());
  if (error || endpoints.empty()) {
    throw RunFailure(fmt::format(
        "cannot find the host '{}' of rank 0 ({}); set MASTER_ADDR to a name or address that every rank can resolve",
        environment.master_address, error.message()));
  }
  return endpoints;
}

/// What does not fit between rank 0 and another rank; empty if all fits.
std::string difference(const Hello& zero, const Hello& other) {
  if (zero.protocol != other.protocol || zero.program != other.program) {
    return fmt::format(
        "rank {} runs lockstep {} (protocol {}), rank 0 runs {} (protocol {}): install one version on all hosts",
        other.rank, other.program, other.protocol, zero.program, zero.protocol);
  }
  if (zero.size != other.size) {
    return fmt::format("rank {} was started as one of {} ranks, rank 0 as one of {}: were they started by one command?",
                       other.rank, other.size, zero.size);
  }
  if (other.rank < 1 || other.rank >= zero.size) {
    return fmt::format("a process came as rank {}, but the job has the ranks 0 to {}", other.rank, zero.size - 1);
  }
  if (zero.agreement != other.agreement) {
    return fmt::format("rank {} has plan hash {}, rank 0 has {}: were both started with the same files?", other.rank,
                       shortened(other.agreement), shortened(zero.agreement));
  }
  return {};
}

class Host {
 public:
  Host(asio::io_context& events, const JobEnvironment& environment, std::string_view agreement)
      : events_(events),
        environment_(environment),
        acceptor_(events),
        links_(static_cast<std::size_t>(environment.size)) {
    own_.size = environment.size;
    own_.agreement = agreement;
    own_.launcher = environment.launcher;
    listen();
  }

  Meeting gather(std::chrono::milliseconds timeout) {
    accept();
    auto deadline = WallClock::now() + timeout;
    if (!run_until(events_, deadline, [&] { return came_ == environment_.size - 1 || !problem_.empty(); }))
      problem_ = who_is_missing(timeout);
    if (!problem_.empty()) {
      deadline = std::min(deadline, WallClock::now() + time_for_the_rest);
      run_until(events_, deadline, [&] { return came_ == environment_.size - 1; });
      refuse();
    }
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    events_.poll();  // the aborted accept must not outlive this object
    std::random_device device;
    return {std::move(links_), (std::uint64_t{device()} << 32) | device()};
  }

  ~Host() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (auto& link : strangers_) forget(*link);
    events_.poll();
  }

 private:
  void listen() {
    const auto resolved = resolve(events_, environment_).front();
    // All interfaces, since a name may resolve to another address here than on the other hosts; except that a loopback
    // address stays private.
    auto endpoint = resolved;
    if (!resolved.address().is_loopback()) endpoint = tcp::endpoint(resolved.protocol(), resolved.port());
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error == asio::error::address_in_use) {
      throw RunFailure(fmt::format("port {} on {} is in use; choose another with MASTER_PORT", environment_.master_port,
                                   environment_.master_address));
    }
    if (error) throw RunFailure(fmt::format("rank 0 cannot listen on {}: {}", place(environment_), error.message()));
  }

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) greet(std::make_shared<Link>(std::move(socket)));
      accept();
    });
  }

  void greet(const std::shared_ptr<Link>& link) {
    strangers_.push_back(link);
    std::weak_ptr<Link> weak = link;
    link->on_frame = [this, weak](const Frame& frame) {
      if (auto self = weak.lock()) hear(self, frame);
    };
    link->start();
  }

  void hear(const std::shared_ptr<Link>& link, const Frame& frame) {
    const auto hello = frame.kind == FrameKind::hello ? read_hello(frame.bytes) : std::nullopt;
    if (!hello) return forget(*link);
    std::string problem = difference(own_, *hello);
    const bool in_range = hello->rank >= 1 && hello->rank < environment_.size;
    if (problem.empty()) {
      if (auto& taken = links_[static_cast<std::size_t>(hello->rank)]) {
        problem = fmt::format(
            "rank number {} is used twice, by processes at {} and {}: does the launcher give every process its own "
            "rank?",
            hello->rank, taken->peer_address(), link->peer_address());
      }
    }
    if (problem_.empty()) problem_ = problem;
    if (in_range && !links_[static_cast<std::size_t>(hello->rank)]) {
      const int rank = hello->rank;
      links_[static_cast<std::size_t>(rank)] = link;
      std::erase(strangers_, link);
      ++came_;
      link->set_length_limit(largest_frame);
      link->on_frame = nullptr;
      link->on_closed = [this, rank](const std::string& why) {
        if (problem_.empty())
          problem_ = fmt::format("rank {} came and left again before the others had come ({})", rank, why);
      };
    }
  }

  static void forget(Link& link) {
    link.on_frame = nullptr;
    link.on_closed = nullptr;
    link.close();
  }

  [[nodiscard]] std::string who_is_missing(std::chrono::milliseconds timeout) const {
    std::vector<std::string> came{"0"};
    std::vector<std::string> missing;
    for (std::size_t rank = 1; rank < links_.size(); ++rank)
      (links_[rank] ? came : missing).push_back(std::to_string(rank));
    return fmt::format(
        "{} {} of {} did not reach {} within {}: ranks that came: {}; {} running, with the same MASTER_ADDR and "
        "MASTER_PORT, and does a firewall "
        "let {} through?",
        missing.size() == 1 ? "rank" : "ranks", join(missing, ", "), environment_.size, place(environment_),
        seconds(timeout), join(came, ", "), missing.size() == 1 ? "is it" : "are they",
        missing.size() == 1 ? "it" : "them");
  }

  [[noreturn]] void refuse() {
    std::vector<std::shared_ptr<Link>> all = strangers_;
    for (const auto& link : links_)
      if (link) all.push_back(link);
    for (const auto& link : all) {
      link->on_closed = nullptr;
      link->send(FrameKind::failure, problem_);
    }
    run_until(events_, WallClock::now() + 1s,
              [&] { return std::all_of(all.begin(), all.end(), [](const auto& link) { return link->flushed(); }); });
    for (const auto& link : all) forget(*link);
    throw RunFailure(problem_);
  }

  asio::io_context& events_;
  const JobEnvironment& environment_;
  Hello own_;
  tcp::acceptor acceptor_;
  std::vector<std::shared_ptr<Link>> links_;
  std::vector<std::shared_ptr<Link>> strangers_;  ///< connected, but not (yet) a rank
  int came_ = 0;
  std::string problem_;
};

std::shared_ptr<Link> reach_master(asio::io_context& events, const JobEnvironment& environment,
                                   std::chrono::milliseconds timeout) {
  const auto deadline = WallClock::now() + timeout;
  std::string last = "no answer";
  do {
    std::vector<tcp::endpoint> endpoints = resolve(events, environment);
    tcp::socket socket(events);
    std::optional<boost::system::error_code> outcome;
    asio::async_connect(socket, endpoints,
                        [&](boost::system::error_code error, const tcp::endpoint&) { outcome = error; });
    if (!run_until(events, deadline, [&] { return outcome.has_value(); })) {
      socket.close();
      run_until(events, WallClock::now() + 1s, [&] { return outcome.has_value(); });
      break;
    }
    boost::system::error_code ignored;
    // Connecting to a free ephemeral port of one's own host can meet itself (TCP simultaneous open): that is nobody.
    if (!*outcome && socket.local_endpoint(ignored) != socket.remote_endpoint(ignored))
      return std::make_shared<Link>(std::move(socket));
    if (*outcome) last = outcome->message();
    asio::steady_timer pause(events, std::min(deadline, WallClock::now() + retry_pause));
    bool over = false;
    pause.async_wait([&](boost::system::error_code) { over = true; });
    run_until(events, WallClock::now() + 1s, [&] { return over; });
  } while (WallClock::now() < deadline);
  throw RunFailure(fmt::format(
      "rank {} of {} could not reach rank 0 at {} within {} ({}): is rank 0 running, and are MASTER_ADDR and "
      "MASTER_PORT the same on all ranks?",
      environment.rank, environment.size, place(environment), seconds(timeout), last));
}

Meeting join_host(asio::io_context& events, const JobEnvironment& environment, std::string_view agreement,
                  std::chrono::milliseconds timeout) {
  auto link = reach_master(events, environment, timeout);
  link->set_length_limit(largest_frame);
  std::optional<Frame> answer;
  std::optional<std::string> closed;
  link->on_frame = [&](Frame frame) { answer = std::move(frame); };
  link->on_closed = [&](const std::string& why) { closed = why; };
  link->start();
  Hello hello;
  hello.rank = environment.rank;
  hello.size = environment.size;
  hello.agreement = agreement;
  hello.launcher = environment.launcher;
  link->send(FrameKind::hello, write(hello));
  // Rank 0 gives up first, as a rule, and tells who is missing.
  const bool answered = run_until(events, WallClock::now() + timeout + 2s, [&] { return answer || closed; });
  link->on_frame = nullptr;
  link->on_closed = nullptr;
  const auto job = answer && answer->kind == FrameKind::welcome ? whole_number_in<std::uint64_t>(answer->bytes)
                                                                : std::optional<std::uint64_t>();
  if (job) {
    Meeting meeting;
    meeting.links.resize(static_cast<std::size_t>(environment.size));
    meeting.job = *job;
    meeting.links[0] = std::move(link);
    return meeting;
  }
  link->close();
  events.poll();
  if (answer && answer->kind == FrameKind::failure) throw RunFailure(answer->bytes);
  if (answered) {
    throw PeerFailure(fmt::format(
        "rank 0 at {} ended the connection before all ranks had come ({}): see its own message, or is another program "
        "using that port?",
        place(environment), closed.value_or("it spoke another protocol")));
  }
  throw RunFailure(fmt::format(
      "rank {}: rank 0 at {} took the connection but said nothing for {}: is another program using that port?",
      environment.rank, place(environment), seconds(timeout + 2s)));
}

}  // namespace

Meeting meet(asio::io_context& events, const JobEnvironment& environment, std::string_view agreement,
             std::chrono::milliseconds timeout) {
  if (environment.rank != 0) return join_host(events, environment, agreement, timeout);
  Meeting meeting = Host(events, environment, agreement).gather(timeout);
  for (const auto& link : meeting.links) {
    if (!link) continue;
    link->on_closed = nullptr;
    // The last thing here: an answer may come at once, and no handler may run until the caller listens.
    link->send(FrameKind::welcome, std::to_string(meeting.job));
  }
  return meeting;
}

}  // namespace lockstep::real
