#include "real/transport/tcp_setup.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>
#include <list>
#include <optional>

#include "core/base/number.hpp"
#include "core/base/text.hpp"
#include "real/launch/rendezvous.hpp"
#include "real/transport/tcp_connection.hpp"

namespace lockstep::real {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

// "LockTCP1": another layout of the messages gets another number.
constexpr std::uint64_t greeting_magic = 0x4C6F'636B'5443'5031;

/// Said by both ends: magic, job, the speaker's rank, the rank it takes the other for.
using Greeting = std::array<unsigned char, 24>;

Greeting greeting(std::uint64_t job, int from, int to) {
  Greeting bytes{};
  boost::endian::store_little_u64(bytes.data(), greeting_magic);
  boost::endian::store_little_u64(bytes.data() + 8, job);
  boost::endian::store_little_u32(bytes.data() + 16, static_cast<std::uint32_t>(from));
  boost::endian::store_little_u32(bytes.data() + 20, static_cast<std::uint32_t>(to));
  return bytes;
}

class Setup {
 public:
  Setup(Control& control, const std::vector<int>& peers, const TcpOptions& options)
      : control_(control),
        peers_(peers),
        options_(options),
        events_(control.events()),
        acceptor_(events_),
        found_(static_cast<std::size_t>(control.size())) {}

  std::vector<std::shared_ptr<TcpConnection>> run() {
    control_.check();
    const bool listens = !peers_.empty() && peers_.front() < control_.rank();
    if (listens) listen();
    const auto places = control_.all_gather(
        listens ? fmt::format("{} {}", acceptor_.local_endpoint().port(), control_.own_address()) : std::string());
    if (listens) accept();
    for (int peer : peers_)
      if (peer > control_.rank()) reach(peer, places[static_cast<std::size_t>(peer)]);
    const auto complete = [&] {
      return std::all_of(peers_.begin(), peers_.end(),
                         [&](int peer) { return found_[static_cast<std::size_t>(peer)].has_value(); });
    };
    const auto deadline = WallClock::now() + control_.timeout();
    run_until(events_, deadline, [&] {
      if (++woken_ % 16 == 0) control_.check();
      return complete() || !problem_.empty();
    });
    control_.check();
    if (problem_.empty() && !complete()) problem_ = who_is_missing();
    if (!problem_.empty()) throw RunFailure(problem_);

    std::vector<std::shared_ptr<TcpConnection>> connections;
    for (int peer : peers_)
      connections.push_back(std::make_shared<TcpConnection>(std::move(*found_[static_cast<std::size_t>(peer)]),
                                                            control_.rank(), peer, options_));
    return connections;
  }

  ~Setup() {
    // What is still under way is called off here, and its handlers run before what they refer to is gone.
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    for (auto& candidate : candidates_) candidate.socket.close(ignored);
    if (events_.stopped()) events_.restart();
    try {
      events_.poll();
    } catch (...) {
      // A handler that throws has told its story to somebody else.
    }
  }

 private:
  struct Candidate {
    explicit Candidate(DataSocket s) : socket(std::move(s)) {}
    DataSocket socket;
    int peer = -1;
    Greeting in{}, out{};
  };

  void set_buffers(DataSocket& socket) const {
    // Before the connection is made, since the window scale is agreed on then.
    boost::system::error_code ignored;
    if (options_.send_buffer > 0) socket.set_option(asio::socket_base::send_buffer_size(options_.send_buffer), ignored);
    if (options_.receive_buffer > 0)
      socket.set_option(asio::socket_base::receive_buffer_size(options_.receive_buffer), ignored);
  }

  void listen() {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(control_.own_address(), error);
    if (error)
      throw RunFailure(
          fmt::format("rank {}'s own address '{}' is not a numeric address", control_.rank(), control_.own_address()));
    const tcp::endpoint endpoint(address, 0);
    acceptor_.open(endpoint.protocol(), error);
    if (!error && options_.receive_buffer > 0)
      acceptor_.set_option(asio::socket_base::receive_buffer_size(options_.receive_buffer), error);
    if (!error && options_.send_buffer > 0)
      acceptor_.set_option(asio::socket_base::send_buffer_size(options_.send_buffer), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error)
      throw RunFailure(
          fmt::format("rank {} cannot listen on {}: {}", control_.rank(), address.to_string(), error.message()));
  }

  void accept() {
    acceptor_.async_accept(events_.get_executor(), [this](boost::system::error_code error, DataSocket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error) hear(candidates_.emplace_back(std::move(socket)));
      accept();
    });
  }

  /// The connecting side speaks first; a stranger is hung up on.
  void hear(Candidate& candidate) {
    asio::async_read(candidate.socket, asio::buffer(candidate.in),
                     [this, &candidate](boost::system::error_code error, std::size_t) {
                       if (error) return;
                       candidate.peer = static_cast<int>(boost::endian::load_little_u32(candidate.in.data() + 16));
                       if (!expected(candidate.peer, candidate.in) || candidate.peer > control_.rank()) {
                         boost::system::error_code ignored;
                         candidate.socket.close(ignored);
                         return;
                       }
                       candidate.out = greeting(control_.job(), control_.rank(), candidate.peer);
                       asio::async_write(candidate.socket, asio::buffer(candidate.out),
                                         [this, &candidate](boost::system::error_code failed, std::size_t) {
                                           if (!failed) settle(candidate);
                                         });
                     });
  }

  [[nodiscard]] bool expected(int peer, const Greeting& said) const {
    return std::binary_search(peers_.begin(), peers_.end(), peer) &&
           said == greeting(control_.job(), peer, control_.rank()) && !found_[static_cast<std::size_t>(peer)];
  }

  void reach(int peer, const std::string& place) {
    const auto blank = place.find(' ');
    const auto port = whole_number_in<std::uint16_t>(std::string_view(place).substr(0, blank));
    LOCKSTEP_CHECK(blank != std::string::npos && port, "rank {} wants to talk to rank {}, which does not know of it",
                   control_.rank(), peer);
    const tcp::endpoint endpoint(asio::ip::make_address(place.substr(blank + 1)), *port);
    Candidate& candidate = candidates_.emplace_back(DataSocket(events_.get_executor()));
    candidate.peer = peer;
    candidate.socket.open(endpoint.protocol());
    set_buffers(candidate.socket);
    candidate.out = greeting(control_.job(), control_.rank(), peer);
    candidate.socket.async_connect(endpoint, [this, &candidate, endpoint](boost::system::error_code error) {
      if (error == asio::error::operation_aborted) return;
      if (error) return cannot_reach(candidate.peer, endpoint, error.message());
      asio::async_write(candidate.socket, asio::buffer(candidate.out),
                        [this, &candidate, endpoint](boost::system::error_code failed, std::size_t) {
                          if (failed == asio::error::operation_aborted) return;
                          if (failed) return cannot_reach(candidate.peer, endpoint, failed.message());
                          asio::async_read(
                              candidate.socket, asio::buffer(candidate.in),
                              [this, &candidate, endpoint](boost::system::error_code broken, std::size_t) {
                                if (broken == asio::error::operation_aborted) return;
                                if (broken)
                                  return cannot_reach(candidate.peer, endpoint,
                                                      broken == asio::error::eof ? "it hung up" : broken.message());
                                if (!expected(candidate.peer, candidate.in))
                                  return cannot_reach(candidate.peer, endpoint, "another program answers there");
                                settle(candidate);
                              });
                        });
    });
  }

  void settle(Candidate& candidate) {
    boost::system::error_code ignored;
    candidate.socket.set_option(tcp::no_delay(true), ignored);
    found_[static_cast<std::size_t>(candidate.peer)].emplace(std::move(candidate.socket));
  }

  void cannot_reach(int peer, const tcp::endpoint& endpoint, const std::string& why) {
    if (!problem_.empty()) return;
    problem_ = fmt::format(
        "rank {} cannot connect to rank {} at {}:{} ({}): does a firewall let the ranks' hosts talk to each other?",
        control_.rank(), peer, endpoint.address().to_string(), endpoint.port(), why);
  }

  [[nodiscard]] std::string who_is_missing() const {
    std::vector<std::string> missing;
    for (int peer : peers_)
      if (!found_[static_cast<std::size_t>(peer)]) missing.push_back(std::to_string(peer));
    return fmt::format(
        "rank {} has no connection to {} {} after {:g} s: does a firewall let the ranks' hosts talk to each other?",
        control_.rank(), missing.size() == 1 ? "rank" : "ranks", join(missing, ", "),
        static_cast<double>(control_.timeout().count()) / 1000.0);
  }

  Control& control_;
  const std::vector<int>& peers_;
  const TcpOptions& options_;
  asio::io_context& events_;
  tcp::acceptor acceptor_;
  std::list<Candidate> candidates_;  // stay where they are
  std::vector<std::optional<DataSocket>> found_;
  std::string problem_;
  unsigned woken_ = 0;
};

}  // namespace

std::vector<std::shared_ptr<TcpConnection>> connect_peers(Control& control, const std::vector<int>& peers,
                                                          const TcpOptions& options) {
  return Setup(control, peers, options).run();
}

}  // namespace lockstep::real
