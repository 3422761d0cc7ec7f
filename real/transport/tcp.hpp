// Messages over TCP: one connection per pair of ranks that talk, non-blocking, served in the io_context of the job's
// Control.
//
// On the wire: a header of 16 bytes (tag, length; little-endian) and the payload. What both ends are is checked once,
// when the connection is made. A system call is tried first and the io_context waited in only when the socket would
// block.
//
// A message at the head of a connection that no receive is posted for is buffered when it is small; a large one waits
// in the kernel's buffers, hence in the sender, until its receive is posted; or until a receive is posted that only
// something behind it can satisfy: then it is buffered whatever its size, so that nothing deadlocks.
#pragma once

#include <memory>
#include <vector>

#include "real/launch/control.hpp"
#include "real/transport/transport.hpp"

namespace lockstep::real {

struct TcpOptions {
  std::size_t eager_limit = 64 * 1024;  ///< unexpected messages up to this size are buffered at once
  std::size_t unexpected_limit =
      64 * 1024 * 1024;             ///< ... as long as a connection holds no more than this many bytes of them
  std::size_t staging = 64 * 1024;  ///< small messages are read together through a buffer of this size
  std::size_t direct = 8 * 1024;    ///< a message this long is not read with its header, but straight into its buffer
  // Small enough that the kernel's copy in and its copy out overlap on the two ranks' cores (bench/tcp_throughput).
  std::size_t read_chunk = 96 * 1024;    ///< most bytes per read; after that, other connections get their turn
  std::size_t write_chunk = 512 * 1024;  ///< most bytes per write
  int send_buffer = 0;                   ///< SO_SNDBUF in bytes; 0: the kernel tunes it
  int receive_buffer = 0;                ///< SO_RCVBUF in bytes; 0: the kernel tunes it
  bool looks = false;                    ///< for a moment, before it sleeps: every rank has a core
};

class TcpConnection;

class TcpTransport final : public Transport {
 public:
  /// All ranks of the job construct theirs together. `peers` are the ranks this one exchanges messages with: whoever
  /// names another is named by it. Throws RunFailure within the Control's time-out when a peer cannot be reached.
  TcpTransport(Control& control, std::vector<int> peers, const TcpOptions& options = {});
  ~TcpTransport() override;
  TcpTransport(const TcpTransport&) = delete;
  TcpTransport& operator=(const TcpTransport&) = delete;

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override;
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity = 0) override;
  bool wait(std::vector<Completion>& out, std::optional<WallClock::time_point> deadline) override;
  [[nodiscard]] Statistics statistics() const override;
  [[nodiscard]] std::string outstanding() const override;

 private:
  struct Waiting;
  TcpConnection& connection(int peer);
  void throw_if_lost();
  bool look(std::optional<WallClock::time_point> deadline);
  void block(std::optional<WallClock::time_point> deadline);

  Control& control_;
  std::vector<std::shared_ptr<TcpConnection>> connections_;  ///< in the order of the ranks
  std::vector<int> index_;                                   ///< by rank: place in connections_, -1 if not a peer
  std::vector<Completion> ready_;                            ///< receives that were satisfied when they were posted
  std::unique_ptr<Waiting> waiting_;
  const bool looks_;
  unsigned calls_without_poll_ = 0;
};

}  // namespace lockstep::real
