#include "real/ucx/put.hpp"

#include <algorithm>
#include <cstring>

namespace lockstep::real {
namespace {

constexpr unsigned notice_id = 1;

struct Notice {
  enum class Kind : std::uint64_t { ready, done } kind;
  std::uint64_t sender, tag, number, address, bytes;
};

std::string packed(const Notice& notice) { return {reinterpret_cast<const char*>(&notice), sizeof notice}; }

// Owns what it says until it has gone.
struct Told {
  std::string header, key;
  UcxMessage* message;  ///< of which it is the last that is done
};

// Only now is a send complete: who has nothing left to wait for makes no more progress, and what he has still to say
// would stay with him.
void gone(const Told& told, ucs_status_t status) {
  if (told.message == nullptr) return;  // a receive goes on; its peer's loss is seen there
  if (status == UCS_OK)
    told.message->owner->complete(*told.message);
  else if (status != UCS_ERR_CANCELED)
    told.message->owner->request_failed(*told.message, status);
}

void told(void* request, ucs_status_t status, void* user_data) {
  const std::unique_ptr<Told> what(static_cast<Told*>(user_data));
  if (what->message != nullptr) what->message->owner->guarded([&] { gone(*what, status); });
  ucp_request_free(request);
}

}  // namespace

UcxMemory::UcxMemory(ucp_context_h context, std::span<std::byte> memory) : context_(context), memory_(memory) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = memory.data();
  params.length = memory.size();
  check_ucx(ucp_mem_map(context, &params, &handle_), "ucp_mem_map");
  void* key = nullptr;
  std::size_t length = 0;
  const ucs_status_t status = ucp_rkey_pack(context, handle_, &key, &length);
  if (status != UCS_OK) ucp_mem_unmap(context, handle_);
  check_ucx(status, "ucp_rkey_pack");
  key_.assign(static_cast<const char*>(key), length);
  ucp_rkey_buffer_release(key);
}

UcxMemory::~UcxMemory() { ucp_mem_unmap(context_, handle_); }

/// A message while it is written.
struct UcxPut::Write {
  UcxPut* self;
  UcxMessage* message;
  std::uint64_t number;
};

UcxPut::UcxPut(Control& control, const std::vector<int>& peers)
    : UcxTransport(control, peers, UCP_FEATURE_RMA | UCP_FEATURE_AM) {
  ucp_am_handler_param_t param{};
  param.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  param.id = notice_id;
  param.cb = hear;
  param.arg = this;
  check_ucx(ucp_worker_set_am_recv_handler(worker().worker(), &param), "ucp_worker_set_am_recv_handler");
  // Nobody hears a notice before it has its handler.
  control.barrier();
}

UcxPut::~UcxPut() {
  close();
  for (const auto& [name, key] : keys_) ucp_rkey_destroy(key);
}

void UcxPut::keep(std::span<std::byte> memory) {
  if (!memory.empty()) kept_.push_back(std::make_shared<UcxMemory>(worker().context(), memory));
}

void UcxPut::forget(std::span<std::byte> memory) {
  std::erase_if(kept_, [&](const auto& one) { return one->memory().data() == memory.data(); });
}

std::shared_ptr<UcxMemory> UcxPut::registered(std::span<std::byte> buffer) {
  const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const auto& one) { return one->holds(buffer); });
  return found != kept_.end() ? *found : std::make_shared<UcxMemory>(worker().context(), buffer);
}

void UcxPut::receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t) {
  UcxMessage& message = begin(peer, tag, buffer.size(), token, true);
  Receiving receiving{&message, buffer.empty() ? nullptr : registered(buffer)};
  Traffic& traffic = traffic_[{peer, tag}];
  const std::uint64_t number = traffic.receives++;
  const Notice notice{Notice::Kind::ready,
                      static_cast<std::uint64_t>(rank()),
                      tag,
                      number,
                      reinterpret_cast<std::uint64_t>(buffer.data()),
                      buffer.size()};
  const std::string key = receiving.memory ? receiving.memory->key() : std::string();
  traffic.receiving.emplace(number, std::move(receiving));
  tell(peer, packed(notice), key, nullptr);
}

void UcxPut::send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) {
  UcxMessage& message = begin(peer, tag, data.size(), token, false);
  count_sent(data.size());
  Traffic& traffic = traffic_[{peer, tag}];
  const std::uint64_t number = traffic.sends++;
  const auto ready = traffic.ready.extract(number);
  if (ready.empty())
    traffic.sending.emplace(number, Sending{&message, data});
  else
    put(message, data, ready.mapped());
}

void UcxPut::tell(int peer, const std::string& header, const std::string& key, UcxMessage* message) {
  auto said = std::make_unique<Told>(Told{header, key, message});
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  param.flags = UCP_AM_SEND_FLAG_EAGER;
  param.cb.send = told;
  param.user_data = said.get();
  statistics_.header_bytes_sent += header.size() + key.size();
  ucs_status_ptr_t request = ucp_am_send_nbx(worker().endpoint(peer), notice_id, said->header.data(),
                                             said->header.size(), said->key.data(), said->key.size(), &param);
  if (UCS_PTR_IS_PTR(request)) {
    [[maybe_unused]] const auto* theirs = said.release();  // told() has it
  } else {
    gone(*said, UCS_PTR_STATUS(request));
  }
}

// Called from within UCX's progress: notices are acted upon at once, which starts further operations but waits for
// none.
ucs_status_t UcxPut::hear(void* object, const void* header, std::size_t header_length, void* data, std::size_t length,
                          const ucp_am_recv_param_t*) {
  auto& self = *static_cast<UcxPut*>(object);
  if (self.closing()) return UCS_OK;
  self.guarded([&] {
    self.heed(std::string_view(static_cast<const char*>(header), header_length),
              std::string(static_cast<const char*>(data), length));
  });
  return UCS_OK;
}

void UcxPut::heed(std::string_view header, std::string key) {
  Notice notice{};
  if (header.size() != sizeof notice) throw RunFailure("a notice of another length came");
  std::memcpy(&notice, header.data(), sizeof notice);
  if (notice.sender >= static_cast<std::uint64_t>(size()))
    throw RunFailure(fmt::format("a notice came from rank {} of {}", notice.sender, size()));
  const Channel channel{static_cast<int>(notice.sender), notice.tag};
  Traffic& traffic = traffic_[channel];
  if (notice.kind == Notice::Kind::ready) {
    Ready ready{notice.number, notice.address, notice.bytes, std::move(key)};
    const auto waiting = traffic.sending.extract(notice.number);
    if (waiting.empty())
      traffic.ready.emplace(notice.number, std::move(ready));
    else
      put(*waiting.mapped().message, waiting.mapped().data, ready);
    return;
  }
  const auto receiving = traffic.receiving.extract(notice.number);
  if (receiving.empty())
    throw RunFailure(fmt::format("rank {} wrote a message that rank {} does not wait for", channel.first, rank()));
  UcxMessage& message = *receiving.mapped().message;
  if (message.bytes != notice.bytes)
    differs(message, notice.bytes);
  else
    complete(message);
}

ucp_rkey_h UcxPut::key_of(int peer, const std::string& key) {
  const auto [entry, fresh] = keys_.try_emplace({peer, key}, nullptr);
  if (fresh && ucp_ep_rkey_unpack(worker().endpoint(peer), key.data(), &entry->second) != UCS_OK) {
    keys_.erase(entry);
    return nullptr;
  }
  return entry->second;
}

void UcxPut::put(UcxMessage& message, std::span<const std::byte> data, const Ready& ready) {
  auto write = std::make_unique<Write>(Write{this, &message, ready.number});
  // A message of another length than expected is not written; the receiver says so.
  if (data.empty() || ready.bytes != data.size()) {
    tell_done(*write);
    return;
  }
  const ucp_rkey_h key = key_of(message.peer, ready.key);
  if (key == nullptr) {
    fail(fmt::format("rank {} cannot use the key of rank {}'s memory", rank(), message.peer));
    return;
  }
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = wrote;
  param.user_data = write.get();
  ucs_status_ptr_t request =
      ucp_put_nbx(worker().endpoint(message.peer), data.data(), data.size(), ready.address, key, &param);
  if (UCS_PTR_IS_ERR(request)) {
    request_failed(message, UCS_PTR_STATUS(request));
  } else if (request == nullptr) {
    flush_write(std::move(write));
  } else {
    [[maybe_unused]] const auto* theirs = write.release();  // wrote() has it
  }
}

void UcxPut::wrote(void* request, ucs_status_t status, void* user_data) {
  std::unique_ptr<Write> write(static_cast<Write*>(user_data));
  ucp_request_free(request);
  UcxPut& self = *write->self;
  if (self.closing()) return;
  self.guarded([&] {
    if (status == UCS_OK)
      self.flush_write(std::move(write));
    else
      self.request_failed(*write->message, status);
  });
}

// The data are the sender's again once they are written; the receiver hears of them once they have arrived.
void UcxPut::flush_write(std::unique_ptr<Write> write) {
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = flushed;
  param.user_data = write.get();
  ucs_status_ptr_t request = ucp_ep_flush_nbx(worker().endpoint(write->message->peer), &param);
  if (UCS_PTR_IS_ERR(request)) {
    request_failed(*write->message, UCS_PTR_STATUS(request));
  } else if (request == nullptr) {
    tell_done(*write);
  } else {
    [[maybe_unused]] const auto* theirs = write.release();  // flushed() has it
  }
}

void UcxPut::flushed(void* request, ucs_status_t status, void* user_data) {
  const std::unique_ptr<Write> write(static_cast<Write*>(user_data));
  ucp_request_free(request);
  UcxPut& self = *write->self;
  if (self.closing()) return;
  self.guarded([&] {
    if (status == UCS_OK)
      self.tell_done(*write);
    else
      self.request_failed(*write->message, status);
  });
}

void UcxPut::tell_done(Write& write) {
  UcxMessage& message = *write.message;
  const Notice notice{Notice::Kind::done, static_cast<std::uint64_t>(rank()), message.tag, write.number, 0,
                      message.bytes};
  tell(message.peer, packed(notice), {}, &message);
}

}  // namespace lockstep::real
