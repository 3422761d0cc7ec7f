// A library that is opened when it is needed: vendors' libraries are large, and most machines have none of them.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace lockstep::real {

class SharedLibrary {
 public:
  /// The first of `names` that the dynamic linker finds. Nothing is thrown: see `error`. Never closed again: such
  /// libraries start threads and register handlers.
  explicit SharedLibrary(const std::vector<std::string>& names);

  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Why none could be opened.
  [[nodiscard]] const std::string& error() const { return error_; }

  /// The function, or null: `library.find<int(unsigned*)>("nvmlDeviceGetCount_v2")`.
  template <class F>
  [[nodiscard]] std::add_pointer_t<F> find(const char* function) const {
    return reinterpret_cast<std::add_pointer_t<F>>(address_of(function));
  }
  /// Throws RunFailure where it is missing: "libnccl.so.2 has no function ncclCommDestroy".
  template <class F>
  [[nodiscard]] std::add_pointer_t<F> need(const char* function) const {
    return reinterpret_cast<std::add_pointer_t<F>>(needed_address_of(function));
  }

 private:
  [[nodiscard]] void* address_of(const char* function) const;
  [[nodiscard]] void* needed_address_of(const char* function) const;

  void* handle_ = nullptr;
  std::string name_;
  std::string error_;
};

}  // namespace lockstep::real
