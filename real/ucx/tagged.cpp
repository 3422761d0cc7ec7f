#include "real/ucx/tagged.hpp"

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

// UCX matches a receive with messages of every sender: the sender stands in the tag, above ours.
constexpr int tag_bits = 40;

ucp_tag_t wire_tag(int sender, std::uint64_t tag) {
  LOCKSTEP_CHECK(tag >> tag_bits == 0, "tag {:#x} has more than {} bits", tag, tag_bits);
  return static_cast<ucp_tag_t>(sender) << tag_bits | tag;
}

void sent(void* request, ucs_status_t status, void* user_data) {
  auto& message = *static_cast<UcxMessage*>(user_data);
  message.request = nullptr;
  message.owner->guarded([&] {
    if (status == UCS_OK)
      message.owner->complete(message);
    else if (status != UCS_ERR_CANCELED)
      message.owner->request_failed(message, status);
  });
  ucp_request_free(request);
}

void received(void* request, ucs_status_t status, const ucp_tag_recv_info_t* info, void* user_data) {
  auto& message = *static_cast<UcxMessage*>(user_data);
  message.request = nullptr;
  if (message.ended != nullptr) *message.ended = true;
  message.owner->guarded([&] {
    if (status == UCS_ERR_MESSAGE_TRUNCATED || (status == UCS_OK && info->length != message.bytes))
      message.owner->differs(message, info->length);
    else if (status == UCS_OK)
      message.owner->complete(message);
    else if (status != UCS_ERR_CANCELED)
      message.owner->request_failed(message, status);
  });
  ucp_request_free(request);
}

}  // namespace

UcxTagged::UcxTagged(Control& control, const std::vector<int>& peers) : UcxTransport(control, peers, UCP_FEATURE_TAG) {}

void UcxTagged::send(int peer, std::uint64_t tag, std::span<const std::byte> data, std::uint64_t token) {
  UcxMessage& message = begin(peer, tag, data.size(), token, false);
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
  param.cb.send = sent;
  param.user_data = &message;
  ucs_status_ptr_t request =
      ucp_tag_send_nbx(worker().endpoint(peer), data.data(), data.size(), wire_tag(rank(), tag), &param);
  count_sent(data.size());
  if (request == nullptr)
    complete(message);
  else if (UCS_PTR_IS_ERR(request))
    request_failed(message, UCS_PTR_STATUS(request));
  else
    message.request = request;
}

void UcxTagged::receive(int peer, std::uint64_t tag, std::span<std::byte> buffer, std::uint64_t token, std::size_t) {
  announced_.push_back({&begin(peer, tag, buffer.size(), token, true), buffer});
}

void UcxTagged::post() {
  for (const Announced& receive : announced_) post(receive);
  announced_.clear();
}

void UcxTagged::post(const Announced& receive) {
  UcxMessage& message = *receive.message;
  bool ended = false;  // by a call back from within the call: the message is there already
  message.ended = &ended;
  ucp_request_param_t param{};
  param.op_attr_mask = UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  param.cb.recv = received;
  param.user_data = &message;
  ucs_status_ptr_t request = ucp_tag_recv_nbx(worker().worker(), receive.buffer.data(), receive.buffer.size(),
                                              wire_tag(message.peer, message.tag), ~ucp_tag_t{0}, &param);
  if (ended) return;
  message.ended = nullptr;
  if (UCS_PTR_IS_ERR(request))
    request_failed(message, UCS_PTR_STATUS(request));
  else
    message.request = request;
}

}  // namespace lockstep::real
