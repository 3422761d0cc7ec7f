// Messages as one-sided writes: the receiver registers its memory and says where to (address, key), the sender writes
// there, waits until the write has arrived (flush), and tells the receiver.
//
//   receive(): ready{tag, number, address, bytes, key} ─►  send(): put, flush, done{tag, number, bytes} ─►  complete
//
// The two notices are UCX's active messages. The n-th receive of one (sender, receiver, tag) matches the n-th send:
// notices carry the number, since UCX promises no order among messages of different ways.
#pragma once

#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "real/ucx/transport.hpp"

namespace lockstep::real {

/// Memory that UCX has registered, and the key by which others write to it.
class UcxMemory {
 public:
  UcxMemory(ucp_context_h context, std::span<std::byte> memory);
  ~UcxMemory();
  UcxMemory(const UcxMemory&) = delete;
  UcxMemory& operator=(const UcxMemory&) = delete;
  [[nodiscard]] bool holds(std::span<const std::byte> part) const {
    return part.data() >= memory_.data() && part.data() + part.size() <= memory_.data() + memory_.size();
  }
  [[nodiscard]] std::span<std::byte> memory() const { return memory_; }
  [[nodiscard]] const std::string& key() const { return key_; }

 private:
  ucp_context_h context_;
  std::span<std::byte> memory_;
  ucp_mem_h handle_ = nullptr;
  std::string key_;
};

class UcxPut final : public UcxTransport {
 public:
  UcxPut(Control& control, const std::vector<int>& peers);
  ~UcxPut() override;

  void send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) override;
  void receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token,
               std::size_t granularity = 0) override;
  void keep(std::span<std::byte> memory) override;
  void forget(std::span<std::byte> memory) override;

 private:
  using Channel = std::pair<int, std::uint64_t>;  ///< peer and tag
  struct Ready {
    std::uint64_t number = 0;
    std::uint64_t address = 0;
    std::size_t bytes = 0;
    std::string key;
  };
  struct Sending {
    UcxMessage* message;
    std::span<const std::byte> data;
  };
  struct Receiving {
    UcxMessage* message;
    std::shared_ptr<UcxMemory> memory;
  };
  struct Write;

  static ucs_status_t hear(void* self, const void* header, std::size_t header_length, void* data, std::size_t length,
                           const ucp_am_recv_param_t* param);
  static void wrote(void* request, ucs_status_t status, void* write);
  static void flushed(void* request, ucs_status_t status, void* write);
  void put(UcxMessage& message, std::span<const std::byte> data, const Ready& ready);
  void heed(std::string_view header, std::string key);
  void flush_write(std::unique_ptr<Write> write);
  void tell_done(Write& write);
  void tell(int peer, const std::string& header, const std::string& key, UcxMessage* message);
  std::shared_ptr<UcxMemory> registered(std::span<std::byte> buffer);
  ucp_rkey_h key_of(int peer, const std::string& key);

  struct Traffic {
    std::uint64_t sends = 0, receives = 0;         ///< so far
    std::map<std::uint64_t, Ready> ready;          ///< receives of the peer without a send, by their number
    std::map<std::uint64_t, Sending> sending;      ///< sends without a receive
    std::map<std::uint64_t, Receiving> receiving;  ///< receives that were told of
  };
  std::map<Channel, Traffic> traffic_;
  std::vector<std::shared_ptr<UcxMemory>> kept_;
  std::map<std::pair<int, std::string>, ucp_rkey_h> keys_;
};

}  // namespace lockstep::real
