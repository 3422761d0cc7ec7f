#include "real/loader/residency.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

/// Calls `use(descriptor, bytes)` for every file that is one and holds something.
template <class Use>
void for_each_file(const Dataset& dataset, Use use) {
  for (std::uint32_t file = 0; file < dataset.files.size(); ++file) {
    const int descriptor = ::open(dataset.path_of(file).c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) continue;  // missing on purpose
    struct stat status {};
    if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
      use(descriptor, static_cast<std::size_t>(status.st_size));
    ::close(descriptor);
  }
}

}  // namespace

double resident_share(const Dataset& dataset) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::size_t all = 0, resident = 0;
  std::vector<unsigned char> pages;
  for_each_file(dataset, [&](int descriptor, std::size_t bytes) {
    void* map = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (map == MAP_FAILED) return;
    pages.assign((bytes + page - 1) / page, 0);
    if (::mincore(map, bytes, pages.data()) == 0) {
      all += pages.size();
      for (const unsigned char state : pages) resident += state & 1U;
    }
    ::munmap(map, bytes);
  });
  return all == 0 ? 0 : static_cast<double>(resident) / static_cast<double>(all);
}

void drop_from_cache(const Dataset& dataset) {
  for_each_file(dataset, [](int descriptor, std::size_t) {
    ::fdatasync(descriptor);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  });
}

void read_into_cache(const Dataset& dataset) {
  std::vector<char> buffer(1 << 20);
  for_each_file(dataset, [&](int descriptor, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes;) {
      const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), static_cast<off_t>(at));
      if (got <= 0) break;
      at += static_cast<std::size_t>(got);
    }
  });
}

}  // namespace lockstep::real
