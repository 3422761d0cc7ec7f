#include "real/loader/object_reader.hpp"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "core/base/error.hpp"
#include "core/base/number.hpp"

namespace lockstep::real {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

class ObjectReader final : public SampleReader {
 public:
  ObjectReader(const LoaderSpec& spec, const Dataset& dataset, const ObjectStore& store)
      : dataset_(dataset),
        store_(store),
        timeout_(std::chrono::duration_cast<std::chrono::nanoseconds>(spec.policy.timeout)),
        stream_(context_) {}

  void ask(std::uint32_t ticket, const StoredSample& sample) override {
    ticket_ = ticket;
    sample_ = &sample;
  }

  Arrived wait() override {
    const bool was_connected = connected_;
    auto arrived = request();
    // A server may close a connection that it has kept long enough; that is no trouble yet.
    if (arrived.trouble == Trouble::unavailable && lost_ && was_connected) arrived = request();
    return arrived;
  }
  void done(std::uint32_t) override {}

 private:
  Arrived request() {
    lost_ = false;
    if (!connected_ && !connect()) return {ticket_, {}, trouble_};
    http::request<http::empty_body> request{http::verb::get, "/" + dataset_.files[sample_->file], 11};
    request.set(http::field::host, store_.address);
    request.set(http::field::range, fmt::format("bytes={}-{}", sample_->offset, sample_->offset + sample_->bytes - 1));
    parser_.emplace();
    parser_->body_limit(boost::none);
    beast::error_code error;
    stream_.expires_after(timeout_);
    // One operation at a time, with a time-out that blocking calls have not.
    http::async_write(stream_, request, [&](beast::error_code result, std::size_t) {
      error = result;
      if (!error)
        http::async_read(stream_, buffer_, *parser_, [&](beast::error_code read, std::size_t) { error = read; });
    });
    run();
    if (error) {
      disconnect();
      lost_ = error != beast::error::timeout;
      return {ticket_, {}, error == beast::error::timeout ? Trouble::stall : Trouble::unavailable};
    }
    const auto& response = parser_->get();
    if (!response.keep_alive()) disconnect();
    switch (response.result()) {
      case http::status::ok:
      case http::status::partial_content:
        break;
      case http::status::not_found:
        return {ticket_, {}, Trouble::missing};
      case http::status::range_not_satisfiable:
        return {ticket_, {}, Trouble::empty};
      case http::status::service_unavailable:
      case http::status::too_many_requests:
        return {ticket_, {}, Trouble::unavailable};
      default:
        return {ticket_, {}, Trouble::unreadable};
    }
    const auto& body = response.body();
    if (static_cast<std::int64_t>(body.size()) < sample_->bytes)
      return {ticket_, {}, body.empty() ? Trouble::empty : Trouble::truncated};
    return {ticket_, std::as_bytes(std::span(body)).first(static_cast<std::size_t>(sample_->bytes)), std::nullopt};
  }

  bool connect() {
    beast::error_code error;
    const auto address = asio::ip::make_address(store_.address, error);
    stream_.expires_after(timeout_);
    stream_.async_connect(tcp::endpoint(address, store_.port), [&](beast::error_code result) { error = result; });
    run();
    trouble_ = error == beast::error::timeout ? Trouble::stall : Trouble::unavailable;
    if (error) {
      disconnect();
      return false;
    }
    stream_.socket().set_option(tcp::no_delay(true), error);
    connected_ = true;
    return true;
  }

  void run() {
    context_.restart();
    context_.run();
  }
  void disconnect() {
    beast::error_code ignored;
    stream_.socket().close(ignored);
    stream_.close();
    buffer_.clear();
    connected_ = false;
  }

  const Dataset& dataset_;
  ObjectStore store_;
  std::chrono::nanoseconds timeout_;
  asio::io_context context_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::vector_body<char>>> parser_;
  bool connected_ = false;
  bool lost_ = false;
  Trouble trouble_ = Trouble::unavailable;
  std::uint32_t ticket_ = 0;
  const StoredSample* sample_ = nullptr;
};

}  // namespace

ObjectStore parse_object_store(const std::string& url) {
  constexpr std::string_view scheme = "http://";
  const auto refuse = [&] {
    throw InputError(
        fmt::format("'{}' is no object store; write http://ADDRESS:PORT, as in http://127.0.0.1:8080", url));
  };
  if (url.rfind(scheme, 0) != 0) refuse();
  const std::string rest = url.substr(scheme.size());
  const auto colon = rest.rfind(':');
  ObjectStore store;
  store.address = rest.substr(0, colon);
  const auto port = colon == std::string::npos
                        ? std::optional<std::uint16_t>(80)
                        : whole_number_in<std::uint16_t>(std::string_view(rest).substr(colon + 1));
  beast::error_code error;
  asio::ip::make_address(store.address, error);
  if (error || !port || *port == 0) refuse();
  store.port = *port;
  return store;
}

std::function<std::unique_ptr<SampleReader>()> object_reader_of(const LoaderSpec& spec, const Dataset& dataset,
                                                                const ObjectStore& store) {
  return [&spec, &dataset, store] { return std::make_unique<ObjectReader>(spec, dataset, store); };
}

}  // namespace lockstep::real
