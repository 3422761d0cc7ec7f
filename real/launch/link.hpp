// A TCP connection that carries frames (kind, bytes), for the control traffic: small, rare, never in the timed part.
//
// Contract: send() never blocks; what the socket does not take at once is written when the io_context runs. Frames and
// the end of the connection are reported through the two callbacks, from inside the io_context. A frame's header is
// checked by its magic number and a limit on its length, so that a stranger who connects (a port scanner, a browser) is
// told from a rank.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "real/launch/control.hpp"

namespace lockstep::real {

enum class FrameKind : std::uint32_t { hello = 1, welcome, enter, release, ping, pong, failure, goodbye };

struct Frame {
  FrameKind kind = FrameKind::hello;
  std::string bytes;
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  explicit Link(Socket socket);

  std::function<void(Frame)> on_frame;
  std::function<void(const std::string& why)> on_closed;

  void start();  ///< begins to read; the callbacks must be set
  void send(FrameKind kind, std::string_view bytes);
  [[nodiscard]] bool flushed() const { return outbox_.empty(); }
  [[nodiscard]] bool open() const { return open_; }
  void close();
  [[nodiscard]] std::string own_address() const;
  [[nodiscard]] std::string peer_address() const;
  /// Frames and their bytes, headers included, as they were handed in and as they arrived whole.
  [[nodiscard]] const Control::Traffic& traffic() const { return traffic_; }
  void set_length_limit(std::uint64_t limit) { length_limit_ = limit; }

 private:
  static constexpr std::size_t header_size = 16;
  void read_header();
  void read_body(FrameKind kind, std::uint64_t length);
  void write_rest();
  void ended(const std::string& why);

  Socket socket_;
  Control::Traffic traffic_;
  bool open_ = true;
  std::array<unsigned char, header_size> header_{};
  std::string body_;
  std::deque<std::string> outbox_;
  std::size_t written_ = 0;  ///< of outbox_.front()
  bool writing_ = false;
  std::uint64_t length_limit_ = 64 * 1024;  ///< until the other side has shown what it is
};

}  // namespace lockstep::real
