// What the lab's network does, without any of Lockstep's transports in between: bare sockets, one process per host.
//
//   lab_probe [hosts] [rate_mbps] [burst_bytes, 0: the lab's choice] [pattern] [iterations] [tcp: lab|defaults]
//   [setting=value]...
//
// Patterns: single (host 0 to host 1), ring (n-1 steps, send right while receiving from the left), halving (partners at
// distance n/2, n/4, ... with halved sizes, then back), share (hosts 1 and 2 send to host 0 at once), idle (single,
// after a second of silence). Prints size, first, min, median and max time, and the median over (wire bytes - burst) /
// rate.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "core/base/error.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/lab/network.hpp"

namespace {
using namespace lockstep;
using namespace lockstep::real;

constexpr int max_hosts = 64;
constexpr int max_iterations = 100;
constexpr int port = 7000;

struct Shared {
  pthread_barrier_t barrier;
  double start[max_iterations][max_hosts];
  double end[max_iterations][max_hosts];
};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

void require(bool good, const char* what) {
  if (!good) throw RunFailure(fmt::format("{}: {}", what, std::strerror(errno)));
}

sockaddr_in socket_address(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  return to;
}

// One connection per pair; peers[i] is the socket to host i.
std::vector<int> connect_all(const LabNetwork& lab, Shared& shared, int rank, int hosts) {
  std::vector<int> peers(hosts, -1);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in own = socket_address(lab.address(rank));
  require(::bind(listener, reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0, "bind");
  require(::listen(listener, hosts) == 0, "listen");
  ::pthread_barrier_wait(&shared.barrier);
  for (int peer = 0; peer < rank; ++peer) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to = socket_address(lab.address(peer));
    require(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0, "connect");
    require(::write(fd, &rank, sizeof rank) == sizeof rank, "write");
    peers[peer] = fd;
  }
  for (int count = rank + 1; count < hosts; ++count) {
    const int fd = ::accept(listener, nullptr, nullptr);
    int peer = -1;
    require(fd >= 0 && ::read(fd, &peer, sizeof peer) == sizeof peer, "accept");
    peers[peer] = fd;
  }
  for (const int fd : peers) {
    if (fd < 0) continue;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  return peers;
}

// Sends and receives at once, without spinning.
void exchange(int to, std::size_t send_bytes, int from, std::size_t receive_bytes, std::vector<char>& buffer) {
  while (send_bytes > 0 || receive_bytes > 0) {
    pollfd waits[2] = {{send_bytes > 0 ? to : -1, POLLOUT, 0}, {receive_bytes > 0 ? from : -1, POLLIN, 0}};
    require(::poll(waits, 2, 20000) > 0, "poll");
    if (waits[0].revents != 0) {
      const ssize_t n = ::send(to, buffer.data(), std::min(send_bytes, buffer.size()), MSG_NOSIGNAL);
      if (n > 0)
        send_bytes -= static_cast<std::size_t>(n);
      else
        require(errno == EAGAIN, "send");
    }
    if (waits[1].revents != 0) {
      const ssize_t n = ::recv(from, buffer.data(), std::min(receive_bytes, buffer.size()), 0);
      if (n > 0)
        receive_bytes -= static_cast<std::size_t>(n);
      else
        require(n < 0 && errno == EAGAIN, "recv");
    }
  }
}

void run_pattern(const std::string& pattern, int rank, int hosts, std::size_t size, const std::vector<int>& peers,
                 std::vector<char>& buffer) {
  if (pattern == "single" || pattern == "idle") {
    if (rank == 0) exchange(peers[1], size, -1, 0, buffer);
    if (rank == 1) exchange(-1, 0, peers[0], size, buffer);
  } else if (pattern == "share") {
    if (rank == 1 || rank == 2) exchange(peers[0], size, -1, 0, buffer);
    if (rank == 0) {
      std::size_t left[2] = {size, size};
      while (left[0] + left[1] > 0) {
        pollfd waits[2] = {{left[0] > 0 ? peers[1] : -1, POLLIN, 0}, {left[1] > 0 ? peers[2] : -1, POLLIN, 0}};
        require(::poll(waits, 2, 20000) > 0, "poll");
        for (int i = 0; i < 2; ++i) {
          if (waits[i].revents == 0) continue;
          const ssize_t n = ::recv(peers[i + 1], buffer.data(), std::min(left[i], buffer.size()), 0);
          if (n > 0) left[i] -= static_cast<std::size_t>(n);
        }
      }
    }
  } else if (pattern == "ring") {
    for (int step = 0; step < hosts - 1; ++step)
      exchange(peers[(rank + 1) % hosts], size / hosts, peers[(rank + hosts - 1) % hosts], size / hosts, buffer);
  } else if (pattern == "halving") {
    std::size_t bytes = size;
    for (int distance = hosts / 2; distance > 0; distance /= 2) {
      bytes /= 2;
      exchange(peers[rank ^ distance], bytes, peers[rank ^ distance], bytes, buffer);
    }
    for (int distance = 1; distance < hosts; distance *= 2, bytes *= 2)
      exchange(peers[rank ^ distance], bytes, peers[rank ^ distance], bytes, buffer);
  } else {
    throw InputError("unknown pattern " + pattern);
  }
}

// Bytes that a host's link carries one way, payload.
double payload(const std::string& pattern, int hosts, double size) {
  if (pattern == "ring") return size * (hosts - 1) / hosts;
  if (pattern == "halving") return 2 * size * (hosts - 1) / hosts;
  return pattern == "share" ? 2 * size : size;
}

int run(int hosts, double rate, std::int64_t burst, const std::string& pattern, int iterations, bool defaults,
        const std::vector<std::pair<std::string, std::string>>& settings) {
  Topology topology;
  topology.name = "probe";
  std::vector<DeviceId> ids;
  for (int i = 0; i < hosts; ++i) {
    Node node;
    node.name = fmt::format("h{}", i);
    Device device;
    device.name = node.name;
    device.node = static_cast<NodeId>(i);
    ids.push_back(topology.add_device(device));
    node.devices = node.endpoints = {ids.back()};
    topology.nodes.push_back(node);
  }
  Device middle;
  middle.name = "switch";
  middle.kind = DeviceKind::network_switch;
  const DeviceId hub = topology.add_device(middle);
  for (const DeviceId host : ids) {
    Link link;
    link.from = host;
    link.to = hub;
    link.bandwidth = Bandwidth::bits_per_second(static_cast<std::int64_t>(rate * 1e6));
    if (burst > 0) link.burst = Bytes{burst};
    topology.add_duplex(link);
  }
  topology.finish();
  const Routing routing(topology);

  const auto text = run_isolated({}, [&](const Isolation& isolation) {
    const double built_from = now();
    const LabNetwork lab(topology, routing, isolation, {.tcp_defaults = defaults});
    const Bytes bucket = lab.shaping().front().burst;
    std::string out =
        fmt::format("{} {} hosts {} Mbit/s burst {} gso {} built in {:.2f} s\n", pattern, hosts, rate, bucket.count(),
                    lab.as_built()["links"][0]["gso_max_size_bytes"].get<std::int64_t>(), now() - built_from);
    for (std::int64_t size = 16 << 10; size <= 16 << 20; size *= 4) {
      auto* shared = static_cast<Shared*>(
          ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
      pthread_barrierattr_t attributes;
      ::pthread_barrierattr_init(&attributes);
      ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
      ::pthread_barrier_init(&shared->barrier, &attributes, static_cast<unsigned>(hosts));
      const auto before = lab.snapshot();
      const auto cpu = read_cpu_times();
      std::vector<pid_t> children;
      for (int rank = 0; rank < hosts; ++rank) {
        const pid_t child = ::fork();
        if (child == 0) {
          try {
            lab.enter_host(rank);
            for (const auto& [name, value] : settings)
              if (!write_setting("net/ipv4/" + name, value)) throw RunFailure("cannot set " + name);
            const auto peers = connect_all(lab, *shared, rank, hosts);
            std::vector<char> buffer(1 << 20);
            for (int i = 0; i < iterations; ++i) {
              ::usleep(pattern == "idle" ? 1000000 : 30000);  // the buckets fill again
              ::pthread_barrier_wait(&shared->barrier);
              shared->start[i][rank] = now();
              run_pattern(pattern, rank, hosts, static_cast<std::size_t>(size), peers, buffer);
              shared->end[i][rank] = now();
              ::pthread_barrier_wait(&shared->barrier);
            }
          } catch (const std::exception& error) {
            fmt::print(stderr, "rank {}: {}\n", rank, error.what());
            ::kill(::getppid(), SIGTERM);  // the others wait at a barrier for ever
            ::_exit(1);
          }
          ::_exit(0);
        }
        children.push_back(child);
      }
      bool good = true;
      for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        good = good && status == 0;
      }
      if (!good) throw RunFailure("a host failed");
      const auto load = busy_share(cpu, read_cpu_times());
      const auto after = lab.snapshot();
      const auto wire = LabNetwork::difference(before, after);
      std::int64_t dropped = 0;
      for (std::size_t i = 0; i < after.size(); ++i) dropped += after[i].dropped - before[i].dropped;
      std::vector<double> times;
      for (int i = 0; i < iterations; ++i)
        times.push_back(*std::max_element(shared->end[i], shared->end[i] + hosts) -
                        *std::min_element(shared->start[i], shared->start[i] + hosts));
      const double first = times.front();
      std::sort(times.begin(), times.end());
      const double median = times[times.size() / 2];
      const double bytes = payload(pattern, hosts, static_cast<double>(size));
      const double fluid = std::max(0.0, bytes * 1514 / 1448 - static_cast<double>(bucket.count())) / (rate * 1e6 / 8);
      const std::size_t busiest = static_cast<std::size_t>(std::max_element(wire.begin(), wire.end()) - wire.begin());
      out += fmt::format(
          "{:>9} B first {:9.3f} min {:9.3f} median {:9.3f} max {:9.3f} ms  fluid {:9.3f}  ratio {:6.4f}  cpu {:3.0f}% "
          " wire/payload {:.5f} dropped {}\n",
          size, first * 1e3, times.front() * 1e3, median * 1e3, times.back() * 1e3, fluid * 1e3,
          fluid > 0 ? median / fluid : 0.0, load * 100,
          static_cast<double>(wire[busiest].count()) / (bytes * iterations), dropped);
      ::munmap(shared, sizeof(Shared));
    }
    return out;
  });
  fmt::print("{}", text);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto argument = [&](int i, const char* otherwise) { return std::string(argc > i ? argv[i] : otherwise); };
    std::vector<std::pair<std::string, std::string>> settings;
    for (int i = 7; i < argc; ++i) {
      const std::string text = argv[i];
      settings.emplace_back(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
    }
    return run(std::min(std::stoi(argument(1, "4")), max_hosts), std::stod(argument(2, "500")),
               std::stoll(argument(3, "0")), argument(4, "single"),
               std::min(std::stoi(argument(5, "9")), max_iterations), argument(6, "lab") == "defaults", settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 3;
  }
}
