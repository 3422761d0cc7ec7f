#include "real/transport/tcp_connection.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/endian/conversion.hpp>
#include <cstring>

#include "core/base/error.hpp"
#include "real/transport/outstanding.hpp"

namespace lockstep::real {
namespace asio = boost::asio;
namespace {

// Messages written by one system call at most: Asio hands at most 64 pieces of memory to the kernel, two to a message.
constexpr std::size_t gathered_messages = 32;

bool would_block(const boost::system::error_code& error) {
  return error == asio::error::would_block || error == asio::error::try_again;
}

}  // namespace

TcpConnection::TcpConnection(DataSocket socket, int own_rank, int peer, const TcpOptions& options)
    : socket_(std::move(socket)),
      own_rank_(own_rank),
      peer_(peer),
      options_(options),
      staging_(std::make_unique_for_overwrite<unsigned char[]>(std::max(options.staging, sizeof(WireHeader)))) {
  socket_.non_blocking(true);
}

void TcpConnection::send(std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) {
  Outgoing message{{}, data.data(), data.size(), token, 0};
  boost::endian::store_little_u64(message.header.data(), tag);
  boost::endian::store_little_u64(message.header.data() + 8, data.size());
  outgoing_.push_back(message);
}

bool TcpConnection::fits(const Posted& posted, std::size_t size, std::uint64_t tag) {
  if (posted.size == size) return true;
  if (problem_.empty()) {
    problem_ = fmt::format("rank {} sent {} bytes with tag {:#x} to rank {}, whose receive expects {} bytes", peer_,
                           size, tag, own_rank_, posted.size);
    mismatched_ = true;
  }
  return false;
}

void TcpConnection::receive(std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
                            std::size_t granularity, std::vector<Completion>& out) {
  const Posted posted{tag, buffer.data(), buffer.size(), token, granularity};
  for (std::size_t i = 0; i < unexpected_.size(); ++i) {
    if (unexpected_[i].tag != tag) continue;
    const Unexpected message = unexpected_.take(i);
    unexpected_held_ -= message.size;
    if (!fits(posted, message.size, tag)) return;
    if (message.size > 0) std::memcpy(buffer.data(), message.data.get(), message.size);
    out.push_back({Completion::Kind::received, token, message.size});
    return;
  }
  // The message that is just coming in, if it is the next of its tag: what has arrived is copied, the rest goes
  // straight into the buffer.
  if (incoming_.active && incoming_.where == Where::buffered && incoming_.tag == tag) {
    if (!fits(posted, incoming_.size, tag)) return;
    if (incoming_.arrived > 0) std::memcpy(buffer.data(), incoming_.buffer.get(), incoming_.arrived);
    incoming_.buffer.reset();
    unexpected_held_ -= incoming_.size;
    deliver_to(posted);
    return;
  }
  posted_.push_back(posted);
}

bool TcpConnection::progress(std::vector<Completion>& out) {
  if (!problem_.empty()) return false;
  bool moved = false;
  if (writable_ && !outgoing_.empty()) moved = write(out);
  if (problem_.empty()) moved = read(out) || moved;
  return moved;
}

bool TcpConnection::write(std::vector<Completion>& out) {
  std::array<asio::const_buffer, 2 * gathered_messages> pieces;
  std::size_t count = 0;
  std::size_t total = 0;
  for (std::size_t i = 0; i < outgoing_.size() && i < gathered_messages && total < options_.write_chunk; ++i) {
    const Outgoing& message = outgoing_[i];
    const std::size_t header_done = std::min(message.written, sizeof(WireHeader));
    if (header_done < sizeof(WireHeader)) {
      pieces[count++] = asio::const_buffer(message.header.data() + header_done, sizeof(WireHeader) - header_done);
      total += sizeof(WireHeader) - header_done;
    }
    const std::size_t payload_done = message.written - header_done;
    if (payload_done < message.size) {
      const std::size_t bytes =
          std::min(message.size - payload_done, options_.write_chunk - std::min(options_.write_chunk, total));
      if (bytes == 0) break;
      pieces[count++] = asio::const_buffer(message.data + payload_done, bytes);
      total += bytes;
      if (payload_done + bytes < message.size) break;
    }
  }
  boost::system::error_code error;
  std::size_t written = socket_.write_some(std::span<const asio::const_buffer>(pieces.data(), count), error);
  if (error) {
    if (would_block(error))
      writable_ = false;
    else
      lose(error);
    return false;
  }
  if (written < total) writable_ = false;  // the socket's buffer is full: another call would only find that out
  while (written > 0) {
    Outgoing& message = outgoing_.front();
    const std::size_t whole = message.size + sizeof(WireHeader);
    const std::size_t part = std::min(written, whole - message.written);
    message.written += part;
    written -= part;
    if (message.written < whole) break;
    ++statistics_.messages_sent;
    statistics_.bytes_sent += message.size;
    statistics_.header_bytes_sent += sizeof(WireHeader);
    out.push_back({Completion::Kind::sent, message.token, message.size});
    outgoing_.pop_front();
  }
  return true;
}

void TcpConnection::deliver_to(const Posted& posted) {
  incoming_.where = Where::direct;
  incoming_.receive = posted;
  incoming_.target = posted.buffer;
  incoming_.next_report = posted.granularity;
}

/// Where the message at the head goes. False when it has to wait where it is.
bool TcpConnection::decide() {
  for (std::size_t i = 0; i < posted_.size(); ++i) {
    if (posted_[i].tag != incoming_.tag) continue;
    const Posted posted = posted_.take(i);
    if (!fits(posted, incoming_.size, incoming_.tag)) return false;
    deliver_to(posted);
    return true;
  }
  const bool something_waits_behind = !posted_.empty();
  const bool small =
      incoming_.size <= options_.eager_limit && unexpected_held_ + incoming_.size <= options_.unexpected_limit;
  if (!something_waits_behind && !small) return false;
  incoming_.buffer = std::make_unique_for_overwrite<std::byte[]>(incoming_.size);
  incoming_.target = incoming_.buffer.get();
  incoming_.where = Where::buffered;
  unexpected_held_ += incoming_.size;
  return true;
}

void TcpConnection::report(std::vector<Completion>& out) {
  if (incoming_.where != Where::direct || incoming_.receive.granularity == 0 ||
      incoming_.arrived < incoming_.next_report)
    return;
  out.push_back({Completion::Kind::progress, incoming_.receive.token, incoming_.arrived});
  const std::size_t granularity = incoming_.receive.granularity;
  incoming_.next_report = (incoming_.arrived / granularity + 1) * granularity;
}

/// Works off what has been read: headers, small payloads, ends of messages. Returns whether anything came of it.
bool TcpConnection::digest(std::vector<Completion>& out) {
  bool moved = false;
  while (problem_.empty()) {
    if (!incoming_.active) {
      if (staged_end_ - staged_begin_ < sizeof(WireHeader)) break;
      const unsigned char* header = staging_.get() + staged_begin_;
      incoming_.active = true;
      incoming_.where = Where::undecided;
      incoming_.tag = boost::endian::load_little_u64(header);
      incoming_.size = boost::endian::load_little_u64(header + 8);
      incoming_.arrived = 0;
      staged_begin_ += sizeof(WireHeader);
      moved = true;
    }
    if (incoming_.where == Where::undecided && !decide()) break;
    const std::size_t part = std::min(staged_end_ - staged_begin_, incoming_.size - incoming_.arrived);
    if (part > 0) {
      std::memcpy(incoming_.target + incoming_.arrived, staging_.get() + staged_begin_, part);
      staged_begin_ += part;
      incoming_.arrived += part;
      moved = true;
    }
    if (incoming_.arrived < incoming_.size) {
      report(out);
      break;
    }
    incoming_.active = false;
    moved = true;
    if (incoming_.where == Where::direct) {
      out.push_back({Completion::Kind::received, incoming_.receive.token, incoming_.size});
    } else {
      statistics_.unexpected_bytes += incoming_.size;
      unexpected_.push_back({incoming_.tag, incoming_.size, std::move(incoming_.buffer)});
    }
  }
  if (staged_begin_ == staged_end_) staged_begin_ = staged_end_ = 0;
  return moved;
}

bool TcpConnection::read(std::vector<Completion>& out) {
  bool moved = digest(out);
  if (!readable_ || ended_ || !problem_.empty()) return moved;
  if (incoming_.active && incoming_.where == Where::undecided) return moved;  // paused

  // What may be read besides the payload of the present message: the header of the next one, and, when that is expected
  // to be small, as much as there is.
  const bool large_follows = !posted_.empty() && posted_.front().size >= options_.direct;
  std::array<asio::mutable_buffer, 2> pieces;
  std::size_t count = 0;
  std::size_t payload = 0;
  if (incoming_.active) {
    payload = std::min(incoming_.size - incoming_.arrived, options_.read_chunk);
    pieces[count++] = asio::mutable_buffer(incoming_.target + incoming_.arrived, payload);
  }
  std::size_t spare = 0;
  if (!incoming_.active || payload == incoming_.size - incoming_.arrived) {
    if (staged_begin_ > 0) {  // part of a header
      std::memmove(staging_.get(), staging_.get() + staged_begin_, staged_end_ - staged_begin_);
      staged_end_ -= staged_begin_;
      staged_begin_ = 0;
    }
    spare = (large_follows ? sizeof(WireHeader) : std::max(options_.staging, sizeof(WireHeader))) - staged_end_;
    pieces[count++] = asio::mutable_buffer(staging_.get() + staged_end_, spare);
  }
  boost::system::error_code error;
  const std::size_t bytes = socket_.read_some(std::span<const asio::mutable_buffer>(pieces.data(), count), error);
  if (error) {
    readable_ = false;
    if (!would_block(error)) lose(error);
    return moved;
  }
  if (bytes < payload + spare) readable_ = false;  // that was all there is
  const std::size_t into_payload = std::min(bytes, payload);
  incoming_.arrived += into_payload;
  staged_end_ += bytes - into_payload;
  digest(out);
  return true;
}

void TcpConnection::arm() {
  const bool paused = incoming_.active && incoming_.where == Where::undecided;
  if (!readable_ && !ended_ && !paused && !waits_to_read_) {
    waits_to_read_ = true;
    socket_.async_wait(DataSocket::wait_read, [self = shared_from_this()](const boost::system::error_code&) {
      self->waits_to_read_ = false;
      self->readable_ = true;
    });
  }
  if (!writable_ && !ended_ && !outgoing_.empty() && !waits_to_write_) {
    waits_to_write_ = true;
    socket_.async_wait(DataSocket::wait_write, [self = shared_from_this()](const boost::system::error_code&) {
      self->waits_to_write_ = false;
      self->writable_ = true;
    });
  }
}

void TcpConnection::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void TcpConnection::lose(const boost::system::error_code& error) {
  ended_ = true;
  readable_ = writable_ = false;
  problem_ = error == asio::error::eof ? "the connection was closed" : error.message();
}

std::string TcpConnection::loss() const {
  if (problem_.empty()) return {};
  if (mismatched_) return problem_;
  // A peer that is done may leave; only what is still expected of it makes that a loss.
  if (idle() && !incoming_.active) return {};
  return fmt::format("rank {} lost rank {}: {}", own_rank_, peer_, problem_);
}

void TcpConnection::describe_outstanding(std::vector<std::string>& lines, std::size_t limit) const {
  const auto have = [](std::size_t arrived) {
    return arrived > 0 ? fmt::format(" ({} have come)", arrived) : std::string();
  };
  const auto add = [&](std::string line) {
    if (lines.size() < limit) lines.push_back(std::move(line));
  };
  if (incoming_.active && incoming_.where == Where::direct) {
    add(describe_receive(incoming_.size, incoming_.tag, peer_) + have(incoming_.arrived));
  }
  for (std::size_t i = 0; i < posted_.size() && lines.size() < limit; ++i)
    add(describe_receive(posted_[i].size, posted_[i].tag, peer_));
  for (std::size_t i = 0; i < outgoing_.size() && lines.size() < limit; ++i) {
    const Outgoing& message = outgoing_[i];
    add(describe_send(message.size, boost::endian::load_little_u64(message.header.data()), peer_) +
        fmt::format(" ({} written)", message.written - std::min(message.written, sizeof(WireHeader))));
  }
}

}  // namespace lockstep::real
