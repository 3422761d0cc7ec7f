#include "real/launch/link.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/endian/conversion.hpp>
#include <utility>

namespace lockstep::real {
namespace asio = boost::asio;
namespace {
constexpr std::uint32_t frame_magic = 0x4C53'4331;  // "LSC1"
}

Link::Link(Socket socket) : socket_(std::move(socket)) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  // A host that vanished without a word (power, cable) is noticed by probes, not by a closed connection.
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

void Link::start() { read_header(); }

void Link::read_header() {
  asio::async_read(socket_, asio::buffer(header_),
                   [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                     if (error) return self->ended(error == asio::error::eof ? "closed" : error.message());
                     const std::uint32_t magic = boost::endian::load_little_u32(self->header_.data());
                     const std::uint32_t kind = boost::endian::load_little_u32(self->header_.data() + 4);
                     const std::uint64_t length = boost::endian::load_little_u64(self->header_.data() + 8);
                     if (magic != frame_magic || kind < static_cast<std::uint32_t>(FrameKind::hello) ||
                         kind > static_cast<std::uint32_t>(FrameKind::goodbye) || length > self->length_limit_) {
                       return self->ended("not a rank of lockstep: it spoke another protocol");
                     }
                     self->read_body(static_cast<FrameKind>(kind), length);
                   });
}

void Link::read_body(FrameKind kind, std::uint64_t length) {
  body_.resize(length);
  asio::async_read(socket_, asio::buffer(body_),
                   [self = shared_from_this(), kind](boost::system::error_code error, std::size_t) {
                     if (error) return self->ended(error == asio::error::eof ? "closed" : error.message());
                     ++self->traffic_.frames_received;
                     self->traffic_.bytes_received += header_size + self->body_.size();
                     if (self->open_ && self->on_frame) self->on_frame({kind, std::exchange(self->body_, {})});
                     if (self->open_) self->read_header();
                   });
}

void Link::send(FrameKind kind, std::string_view bytes) {
  if (!open_) return;
  std::string frame(header_size, '\0');
  auto* header = reinterpret_cast<unsigned char*>(frame.data());
  boost::endian::store_little_u32(header, frame_magic);
  boost::endian::store_little_u32(header + 4, static_cast<std::uint32_t>(kind));
  boost::endian::store_little_u64(header + 8, bytes.size());
  frame.append(bytes);
  ++traffic_.frames_sent;
  traffic_.bytes_sent += frame.size();
  outbox_.push_back(std::move(frame));
  if (!writing_) write_rest();
}

// Written at once as far as the socket takes it: the news of a failure must leave even if this rank never enters the
// io_context again.
void Link::write_rest() {
  writing_ = false;
  while (open_ && !outbox_.empty()) {
    boost::system::error_code error;
    written_ += socket_.write_some(asio::buffer(outbox_.front()) + written_, error);
    if (written_ == outbox_.front().size()) {
      outbox_.pop_front();
      written_ = 0;
      continue;
    }
    if (error == asio::error::would_block || error == asio::error::try_again) {
      writing_ = true;
      socket_.async_wait(Socket::wait_write,
                         [self = shared_from_this()](boost::system::error_code) { self->write_rest(); });
      return;
    }
    if (error) {
      // The reading side tells what happened, with whatever the peer had still said before.
      outbox_.clear();
      written_ = 0;
      return;
    }
  }
}

void Link::ended(const std::string& why) {
  if (!open_) return;
  close();
  if (on_closed) on_closed(why);
}

void Link::close() {
  open_ = false;
  outbox_.clear();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

std::string Link::own_address() const {
  boost::system::error_code error;
  const auto endpoint = socket_.local_endpoint(error);
  return error ? std::string{} : endpoint.address().to_string();
}

std::string Link::peer_address() const {
  boost::system::error_code error;
  const auto endpoint = socket_.remote_endpoint(error);
  return error ? std::string("?") : endpoint.address().to_string();
}

}  // namespace lockstep::real
