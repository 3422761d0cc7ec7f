#include "real/loader/object_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <mutex>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/number.hpp"

namespace lockstep::real {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

/// `bytes=A-B`; both ends are named.
std::optional<std::pair<std::int64_t, std::int64_t>> range_of(std::string_view header) {
  constexpr std::string_view unit = "bytes=";
  if (header.substr(0, unit.size()) != unit) return std::nullopt;
  header.remove_prefix(unit.size());
  const auto dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = whole_number_in<std::int64_t>(header.substr(0, dash));
  const auto last = whole_number_in<std::int64_t>(header.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
  return std::pair(*first, *last);
}

struct File {
  int descriptor = -1;
  std::int64_t bytes = 0;
  explicit File(const std::string& path) : descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (descriptor < 0) return;
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
      bytes = status.st_size;
      return;
    }
    ::close(descriptor);
    descriptor = -1;
    errno = EISDIR;
  }
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};

}  // namespace

struct ObjectServer::State {
  State(std::string served, ObjectServerOptions given)
      : folder(std::move(served)), options(std::move(given)), acceptor(context) {}

  void listen() {
    try {
      const tcp::endpoint endpoint(asio::ip::make_address(options.address), options.port);
      acceptor.open(endpoint.protocol());
      acceptor.set_option(asio::socket_base::reuse_address(true));
      acceptor.bind(endpoint);
      acceptor.listen();
    } catch (const boost::system::system_error& error) {
      throw RunFailure(fmt::format("object server at {}:{}: {}", options.address, options.port, error.what()));
    }
  }

  void accept() {
    while (!stopped) {
      boost::system::error_code error;
      tcp::socket socket(context);
      acceptor.accept(socket, error);
      if (error || stopped) return;
      const std::lock_guard lock(mutex);
      connections.emplace_back(std::move(socket));
      auto& connection = connections.back();
      connection.thread = std::thread([this, &connection] { serve(connection.socket); });
    }
  }

  void serve(tcp::socket& socket) {
    // A client that has gone is an error of sendfile, not the end of this process.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    boost::system::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    beast::flat_buffer buffer;
    while (!stopped) {
      http::request<http::empty_body> request;
      http::read(socket, buffer, request, error);
      if (error) break;
      answer(socket, request, error);
      if (error || !request.keep_alive()) break;
    }
    socket.shutdown(tcp::socket::shutdown_both, error);
  }

  void answer(tcp::socket& socket, const http::request<http::empty_body>& request, boost::system::error_code& error) {
    const std::string target(request.target());
    const auto what = options.answer ? options.answer(target) : ObjectAnswer::serve;
    while (what == ObjectAnswer::stall && !stopped) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    http::response<http::empty_body> response;
    response.version(request.version());
    response.keep_alive(request.keep_alive());
    const auto refuse = [&](http::status status) {
      response.result(status);
      response.content_length(0);
      http::write(socket, response, error);
    };
    if (what == ObjectAnswer::unavailable) return refuse(http::status::service_unavailable);
    if (request.method() != http::verb::get) return refuse(http::status::method_not_allowed);
    if (target.empty() || target.front() != '/' || target.find("..") != std::string::npos)
      return refuse(http::status::bad_request);
    const File file(folder + target);
    if (file.descriptor < 0) return refuse(errno == ENOENT ? http::status::not_found : http::status::forbidden);
    std::int64_t first = 0, last = file.bytes - 1;
    response.result(http::status::ok);
    if (const auto header = request.find(http::field::range); header != request.end()) {
      const auto range = range_of({header->value().data(), header->value().size()});
      if (!range || range->first >= file.bytes) return refuse(http::status::range_not_satisfiable);
      first = range->first;
      last = std::min(range->second, last);
      response.result(http::status::partial_content);
      response.set(http::field::content_range, fmt::format("bytes {}-{}/{}", first, last, file.bytes));
    }
    response.content_length(static_cast<std::uint64_t>(last - first + 1));
    http::response_serializer<http::empty_body> serializer(response);
    http::write_header(socket, serializer, error);
    // The body goes from the page cache to the socket.
    off_t at = first;
    while (!error && at <= last) {
      const ssize_t sent =
          ::sendfile(socket.native_handle(), file.descriptor, &at, static_cast<std::size_t>(last - at + 1));
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) error = asio::error::broken_pipe;
    }
  }

  struct Connection {
    explicit Connection(tcp::socket connected) : socket(std::move(connected)) {}
    tcp::socket socket;
    std::thread thread;
  };

  std::string folder;
  ObjectServerOptions options;
  asio::io_context context;
  tcp::acceptor acceptor;
  std::atomic<bool> stopped{false};
  std::mutex mutex;
  std::list<Connection> connections;
  std::thread acceptor_thread;
};

ObjectServer::ObjectServer(std::string folder, ObjectServerOptions options)
    : state_(std::make_unique<State>(std::move(folder), std::move(options))) {
  state_->listen();
  state_->acceptor_thread = std::thread([state = state_.get()] { state->accept(); });
}

ObjectServer::~ObjectServer() {
  state_->stopped = true;
  // Shutting a listening socket down wakes the thread that accepts; closing it would not.
  ::shutdown(state_->acceptor.native_handle(), SHUT_RDWR);
  state_->acceptor_thread.join();
  for (auto& connection : state_->connections) {
    ::shutdown(connection.socket.native_handle(), SHUT_RDWR);
    connection.thread.join();
  }
}

std::uint16_t ObjectServer::port() const { return state_->acceptor.local_endpoint().port(); }

}  // namespace lockstep::real
