// jpeg_decode FOLDER [--threads 2]: images per second that libjpeg-turbo decodes alone, all files of the folder read
// into memory before. Prints the number.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/error.hpp"
#include "core/base/json.hpp"
#include "real/loader/jpeg.hpp"

int main(int count, char** arguments) {
  CLI::App app("What libjpeg-turbo decodes alone");
  std::string folder;
  int threads = 2, width = 500, height = 375;
  app.add_option("folder", folder, "JPEG files, at any depth")->required();
  app.add_option("--threads", threads)->capture_default_str();
  app.add_option("--width", width)->capture_default_str();
  app.add_option("--height", height)->capture_default_str();
  CLI11_PARSE(app, count, arguments);
  try {
    std::vector<std::string> images;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
      if (entry.path().extension() == ".jpg") images.push_back(lockstep::read_text_file(entry.path().string()));
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> workers;
    for (int i = 0; i < threads; ++i)
      workers.emplace_back([&] {
        lockstep::real::JpegDecoder decoder;
        std::vector<std::byte> pixels(std::size_t{3} * static_cast<std::size_t>(width) *
                                      static_cast<std::size_t>(height));
        for (std::size_t at = next++; at < images.size(); at = next++)
          if (!decoder.decode(std::as_bytes(std::span(images[at])), width, height, pixels)) failed = true;
      });
    for (auto& worker : workers) worker.join();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
    if (failed || images.empty()) throw lockstep::RunFailure(folder + ": no images of this size");
    fmt::print("{}\n", static_cast<double>(images.size()) / time.count());
    return 0;
  } catch (const lockstep::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.code());
  }
}
