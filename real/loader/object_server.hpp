// An HTTP object server (GET with ranges, keep-alive) over the files of a folder: remote storage that is real and can
// be repeated. One thread per connection.
//
// Contract:
//  - GET of a file: 200, or 206 with `Range: bytes=A-B`, cut to what is there; 416 beyond the end, 404 where there is
//  no
//    file, 403 where it is no file or cannot be read, 400 for paths that leave the folder;
//  - `answer` may refuse (503) or stall any request: how failures are tried;
//  - the destructor closes every connection and joins every thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace lockstep::real {

enum class ObjectAnswer { serve, unavailable, stall };

struct ObjectServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any that is free
  /// Asked per request, by its path, from many threads; empty: serve.
  std::function<ObjectAnswer(const std::string& path)> answer;
};

class ObjectServer {
 public:
  /// Throws RunFailure if it cannot listen.
  ObjectServer(std::string folder, ObjectServerOptions options);
  ~ObjectServer();
  ObjectServer(const ObjectServer&) = delete;
  ObjectServer& operator=(const ObjectServer&) = delete;
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lockstep::real
