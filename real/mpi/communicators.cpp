#include "real/mpi/communicators.hpp"

#include <fmt/format.h>

#include <array>
#include <exception>
#include <numeric>

#include "core/base/error.hpp"

namespace lockstep::real {

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw RunFailure(fmt::format("{}: {}", call, std::string_view(text.data(), static_cast<std::size_t>(length))));
}

MpiJob::MpiJob() {
  int initialised = 0;
  MPI_Initialized(&initialised);
  int provided = 0;
  if (initialised == 0) check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

MpiJob::~MpiJob() {
  if (!abandoned_) MPI_Finalize();
}

MpiJob& MpiJob::get(int rank, int size) {
  static MpiJob job;
  int mpi_rank = 0;
  int mpi_size = 1;
  MPI_Comm_rank(job.world_, &mpi_rank);
  MPI_Comm_size(job.world_, &mpi_size);
  if (mpi_size == size && mpi_rank == rank) return job;
  if (mpi_size > 1) job.abandon();
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> version{};
  int length = 0;
  MPI_Get_library_version(version.data(), &length);
  const std::string library(version.data(), std::string_view(version.data()).find_first_of(",\n"));
  if (mpi_size == 1)
    throw InputError(fmt::format(
        "rank {} of {} is alone as far as MPI can see: the launcher started {} separate programs instead of one MPI "
        "job. "
        "This program uses {}; start it with the mpirun of that library, or with a launcher that speaks its PMIx "
        "(srun --mpi=pmix)",
        rank, size, size, library));
  throw InputError(
      fmt::format("the launcher's environment says rank {} of {}, {} says rank {} of {}: is a job started "
                  "inside another one?",
                  rank, size, library, mpi_rank, mpi_size));
}

MPI_Comm MpiJob::of(const std::vector<int>& members) {
  int size = 0;
  MPI_Comm_size(world_, &size);
  std::vector<int> all(static_cast<std::size_t>(size));
  std::iota(all.begin(), all.end(), 0);
  if (members == all) return world_;
  const auto [entry, fresh] = groups_.try_emplace(members, MPI_COMM_NULL);
  if (!fresh) return entry->second;
  MPI_Group everyone = MPI_GROUP_NULL;
  MPI_Group group = MPI_GROUP_NULL;
  check_mpi(MPI_Comm_group(world_, &everyone), "MPI_Comm_group");
  check_mpi(MPI_Group_incl(everyone, static_cast<int>(members.size()), members.data(), &group), "MPI_Group_incl");
  check_mpi(MPI_Comm_create_group(world_, group, 0, &entry->second), "MPI_Comm_create_group");
  MPI_Group_free(&group);
  MPI_Group_free(&everyone);
  check_mpi(MPI_Comm_set_errhandler(entry->second, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return entry->second;
}

}  // namespace lockstep::real
