// One TCP connection between two ranks: matching of messages with receives, and the reading and writing. Knows one peer
// and no other connection; the transport drives it and waits for it.
#pragma once

#include <array>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "real/transport/fifo.hpp"
#include "real/transport/tcp.hpp"

namespace lockstep::real {

// The io_context's own executor type: no type erasure in every wait.
using DataSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// Tag and length of a message as they go over the wire.
using WireHeader = std::array<unsigned char, 16>;

class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(DataSocket socket, int own_rank, int peer, const TcpOptions& options);

  [[nodiscard]] int peer() const { return peer_; }
  void send(std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token);
  void receive(std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t granularity,
               std::vector<Completion>& out);

  /// At most one write and one read. Returns whether anything moved or completed.
  bool progress(std::vector<Completion>& out);
  /// Asks the io_context to wake us up for what would have blocked.
  void arm();
  void close();

  /// Why no more can be expected of this connection although something is outstanding on it; empty while all is well.
  [[nodiscard]] std::string loss() const;
  /// True when it is this rank (or the plan) that is wrong, not the peer that is gone.
  [[nodiscard]] bool mismatched() const { return mismatched_; }
  [[nodiscard]] bool idle() const {
    return outgoing_.empty() && posted_.empty() && !(incoming_.active && incoming_.where == Where::direct);
  }
  void describe_outstanding(std::vector<std::string>& lines, std::size_t limit) const;
  [[nodiscard]] const Transport::Statistics& statistics() const { return statistics_; }

 private:
  struct Outgoing {
    WireHeader header;
    const std::byte* data;
    std::size_t size;
    std::uint64_t token;
    std::size_t written;  ///< header included
  };
  struct Posted {
    std::uint64_t tag;
    std::byte* buffer;
    std::size_t size;
    std::uint64_t token;
    std::size_t granularity;
  };
  struct Unexpected {
    std::uint64_t tag;
    std::size_t size;
    std::unique_ptr<std::byte[]> data;
  };
  enum class Where : std::uint8_t { undecided, direct, buffered };
  struct Incoming {
    bool active = false;  ///< a header was read and the payload is not complete
    Where where = Where::undecided;
    std::uint64_t tag = 0;
    std::size_t size = 0, arrived = 0;
    std::byte* target = nullptr;
    Posted receive{};                     ///< when direct
    std::unique_ptr<std::byte[]> buffer;  ///< when buffered
    std::size_t next_report = 0;
  };

  bool write(std::vector<Completion>& out);
  bool read(std::vector<Completion>& out);
  bool digest(std::vector<Completion>& out);
  bool decide();
  void deliver_to(const Posted& posted);
  void advance(std::size_t bytes);
  void report(std::vector<Completion>& out);
  bool fits(const Posted& posted, std::size_t size, std::uint64_t tag);
  void lose(const boost::system::error_code& error);

  DataSocket socket_;
  const int own_rank_;
  const int peer_;
  const TcpOptions options_;

  Fifo<Outgoing> outgoing_;
  Fifo<Posted> posted_;
  Fifo<Unexpected> unexpected_;
  std::size_t unexpected_held_ = 0;
  Incoming incoming_;
  std::unique_ptr<unsigned char[]> staging_;
  std::size_t staged_begin_ = 0, staged_end_ = 0;

  bool readable_ = true, writable_ = true;  ///< as far as we know: a call would not block
  bool waits_to_read_ = false, waits_to_write_ = false;
  bool ended_ = false;  ///< the peer closed its side, or the connection broke
  bool mismatched_ = false;
  std::string problem_;
  Transport::Statistics statistics_;
};

}  // namespace lockstep::real
