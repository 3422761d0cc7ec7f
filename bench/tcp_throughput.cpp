// How near does the TCP transport come to a bare loop of blocking write() and read() over the same buffers?
//
// Two processes over loopback. Every pair measures the bare loop and then the transport (the order alternates, so that
// a machine that gets slower favours neither); the answer is the median of the pairs' ratios. The data are checked
// after each measurement. With --against, a command (bench/iperf3.sh) is run in every pair too, whose rate counts where
// it is the larger.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "real/executor/buffers.hpp"
#include "real/launch/local.hpp"
#include "real/transport/tcp.hpp"

namespace {

using namespace lockstep;
using namespace lockstep::real;

struct Settings {
  int pairs = 9;
  std::size_t bytes = 64u << 20;
  int messages = 6;
  int round_trips = 2000;
  std::string against;
  TcpOptions options;
};

[[noreturn]] void give_up(const char* what) { throw RunFailure(fmt::format("{}: {}", what, std::strerror(errno))); }

/// A blocking connection between the two ranks, made by hand.
int bare_connection(Control& control) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  if (socket < 0) give_up("socket");
  int connection = socket;
  if (control.rank() == 0) {
    if (::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(socket, 1) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      give_up("listen");
    }
  }
  const auto ports = control.all_gather(std::to_string(ntohs(address.sin_port)));
  if (control.rank() == 0) {
    connection = ::accept(socket, nullptr, nullptr);
    ::close(socket);
  } else {
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(ports[0])));
    if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) give_up("connect");
  }
  const int yes = 1;
  if (connection < 0 || ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0) give_up("accept");
  return connection;
}

void write_whole(int socket, std::span<const std::byte> data) {
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t part = ::write(socket, data.data() + done, data.size() - done);
    if (part <= 0) give_up("write");
    done += static_cast<std::size_t>(part);
  }
}

void read_whole(int socket, std::span<std::byte> data) {
  for (std::size_t done = 0; done < data.size();) {
    const ssize_t part = ::read(socket, data.data() + done, data.size() - done);
    if (part <= 0) give_up("read");
    done += static_cast<std::size_t>(part);
  }
}

void finish(Transport& transport, std::vector<Completion>& done, std::size_t count) {
  while (count > 0) {
    done.clear();
    transport.wait(done, {});
    count -= done.size();
  }
}

/// What the command prints: a rate in MiB/s.
double rate_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  double rate = 0;
  if (!pipe || std::fscanf(pipe.get(), "%lf", &rate) != 1) throw RunFailure("no rate from: " + command);
  return rate;
}

class Measurement {
 public:
  Measurement(Control& control, const Settings& settings)
      : control_(control),
        settings_(settings),
        peer_(1 - control.rank()),
        transport_(control, {peer_}, settings.options),
        socket_(bare_connection(control)),
        buffer_(settings.bytes),
        data_(buffer_.bytes()) {}
  ~Measurement() { ::close(socket_); }
  Measurement(const Measurement&) = delete;
  Measurement& operator=(const Measurement&) = delete;

  /// MiB/s seen by the receiver, rank 1.
  double throughput(bool bare) {
    const auto mark = static_cast<std::byte>(++round_);
    if (control_.rank() == 0) std::fill(data_.begin(), data_.end(), mark);
    control_.barrier();
    const auto start = WallClock::now();
    for (int i = 0; i < settings_.messages; ++i) {
      if (bare && control_.rank() == 0) write_whole(socket_, data_);
      if (bare && control_.rank() == 1) read_whole(socket_, data_);
      if (bare) continue;
      if (control_.rank() == 0)
        transport_.send(peer_, 1, data_, 1);
      else
        transport_.receive(peer_, 1, data_, 1);
      finish(transport_, done_, 1);
    }
    const double seconds = std::chrono::duration<double>(WallClock::now() - start).count();
    if (std::any_of(data_.begin(), data_.end(), [&](std::byte b) { return b != mark; })) throw RunFailure("wrong data");
    control_.barrier();
    return static_cast<double>(settings_.messages) * static_cast<double>(data_.size()) / 1048576.0 / seconds;
  }

  /// MiB/s of the other program; both ranks rest meanwhile. 0 on rank 0, and without one.
  double against() {
    const double rate = control_.rank() == 1 && !settings_.against.empty() ? rate_of(settings_.against) : 0;
    control_.barrier();
    return rate;
  }

  /// Half a round trip of 8 bytes in microseconds (rank 1's view).
  double latency(bool bare) {
    std::vector<std::byte> ping(8), pong(8);
    control_.barrier();
    const auto start = WallClock::now();
    for (int i = 0; i < settings_.round_trips; ++i) {
      if (bare) {
        if (control_.rank() == 0) read_whole(socket_, pong);
        write_whole(socket_, ping);
        if (control_.rank() == 1) read_whole(socket_, pong);
      } else {
        transport_.receive(peer_, 2, pong, 2);
        if (control_.rank() == 0) finish(transport_, done_, 1);
        transport_.send(peer_, 2, ping, 1);
        finish(transport_, done_, control_.rank() == 0 ? 1 : 2);
      }
    }
    const double seconds = std::chrono::duration<double>(WallClock::now() - start).count();
    control_.barrier();
    return seconds * 1e6 / settings_.round_trips / 2;
  }

 private:
  Control& control_;
  const Settings& settings_;
  const int peer_;
  TcpTransport transport_;
  int socket_;
  AlignedBuffer buffer_;  // what the executor sends from and receives into
  std::span<std::byte> data_;
  std::vector<Completion> done_;
  unsigned char round_ = 0;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string measure(Control& control, const Settings& settings) {
  Measurement measurement(control, settings);
  measurement.throughput(true);  // warm-up: pages, windows
  measurement.throughput(false);
  std::vector<double> bare, ours, other, ratios, bare_latency, our_latency;
  for (int pair = 0; pair < settings.pairs; ++pair) {
    const bool bare_first = pair % 2 == 0;
    const double first = measurement.throughput(bare_first), second = measurement.throughput(!bare_first);
    bare.push_back(bare_first ? first : second);
    ours.push_back(bare_first ? second : first);
    other.push_back(measurement.against());
    ratios.push_back(ours.back() / std::max(bare.back(), other.back()));
    bare_latency.push_back(measurement.latency(true));
    our_latency.push_back(measurement.latency(false));
  }
  // Rank 1 received, so its figures count; rank 0 is the one whose result comes back.
  const auto all = control.gather(fmt::format(
      "{} messages of {} MiB over loopback, {} alternating pairs\n"
      "  bare write/read   {:8.0f} MiB/s (median)\n"
      "  TCP transport     {:8.0f} MiB/s (median)\n"
      "{}"
      "  ratio             {:8.3f}       (median of the pairs; {:.3f} to {:.3f})\n"
      "8-byte ping-pong, one way\n"
      "  bare write/read   {:8.2f} us (median)\n"
      "  TCP transport     {:8.2f} us (median)\n",
      settings.messages, static_cast<double>(settings.bytes) / 1048576.0, settings.pairs, median(bare), median(ours),
      settings.against.empty() ? "" : fmt::format("  {:<17} {:8.0f} MiB/s (median)\n", settings.against, median(other)),
      median(ratios), *std::min_element(ratios.begin(), ratios.end()), *std::max_element(ratios.begin(), ratios.end()),
      median(bare_latency), median(our_latency)));
  return all.empty() ? std::string() : all[1];
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Throughput and latency of the TCP transport against a bare write/read loop."};
  app.add_option("--pairs", settings.pairs)->check(CLI::Range(1, 1000))->capture_default_str();
  app.add_option("--bytes", settings.bytes, "bytes of a message")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--messages", settings.messages, "messages of one measurement")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--round-trips", settings.round_trips)->check(CLI::Range(1, 1000000))->capture_default_str();
  app.add_option("--against", settings.against,
                 "a command that prints a rate to compare with in MiB/s: bench/iperf3.sh");
  app.add_option("--read-chunk", settings.options.read_chunk)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--write-chunk", settings.options.write_chunk)->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--send-buffer", settings.options.send_buffer, "SO_SNDBUF, 0: the kernel's own tuning")
      ->capture_default_str();
  app.add_option("--receive-buffer", settings.options.receive_buffer, "SO_RCVBUF, 0: the kernel's own tuning")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    LocalRanks ranks;
    ranks.count = 2;
    ranks.body = [&](const JobEnvironment& environment) {
      const auto control = connect_control(environment, "tcp_throughput", std::chrono::seconds(30));
      return measure(*control, settings);
    };
    fmt::print("{}", run_local_ranks(ranks));
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 3;
  }
}
