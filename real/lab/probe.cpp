#include "real/lab/probe.hpp"

#include <dlfcn.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "core/base/error.hpp"
#include "core/units/quantity.hpp"
#include "real/compute/blas.hpp"
#include "real/lab/command.hpp"
#include "real/lab/cpu_load.hpp"
#include "real/lab/isolate.hpp"
#include "real/lab/tcp_settings.hpp"
#include "real/transport/module.hpp"

namespace lockstep::real {
namespace {

Finding program(const std::string& name, const std::string& tool, const std::string& remedy) {
  const auto path = find_program(tool);
  return {name, !path.empty(), path.empty() ? tool + " not found" : path, path.empty() ? remedy : ""};
}

Finding library(const std::string& name, const char* file, const std::string& remedy) {
  // It stays: libraries such as UCX keep memory from their constructors, which nothing would point to any more.
  void* handle = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  if (handle != nullptr) ::dlclose(handle);
  return {name, handle != nullptr, fmt::format("{}{}", file, handle != nullptr ? "" : " not found"),
          handle != nullptr ? "" : remedy};
}

// A transport's module, and the program that starts its ranks.
Finding transport(const std::string& name, const std::string& module, const std::string& launcher,
                  const std::string& remedy) {
  std::string problem = why_no_module(module);
  if (problem.empty() && !launcher.empty() && find_program(launcher).empty()) problem = launcher + " not found";
  return {name, problem.empty(), problem.empty() ? open_module(module).library() : problem,
          problem.empty() ? "" : remedy};
}

// A command in a fresh network namespace; what it said if it failed.
Finding in_namespace(const std::string& name, const std::vector<std::string>& command, const std::string& remedy) {
  try {
    const auto failed = run_isolated({}, [&](const Isolation&) {
      const auto result = run_command(command);
      return result.status == 0 ? std::string() : result.errors + " ";
    });
    auto said = failed.substr(0, failed.find('\n'));
    return {name, failed.empty(), failed.empty() ? "works" : said, failed.empty() ? "" : remedy};
  } catch (const Error& error) {
    return {name, false, "not tried: no namespaces", ""};
  }
}

}  // namespace

std::vector<Finding> probe_machine() {
  std::vector<Finding> findings;
  utsname kernel{};
  ::uname(&kernel);
  findings.push_back({"kernel", true, fmt::format("{} {} {}", kernel.sysname, kernel.release, kernel.machine), ""});
  findings.push_back({"cores", true, fmt::format("{} usable, load {:.1f}", usable_cores(), load_average()), ""});
  struct sysinfo memory {};
  ::sysinfo(&memory);
  findings.push_back(
      {"memory", true, format_bytes(Bytes{static_cast<std::int64_t>(memory.totalram * memory.mem_unit)}), ""});
  const auto refused = why_isolation_is_refused();
  findings.push_back({"namespaces", refused.empty(), refused.empty() ? "allowed" : "refused", refused});
  findings.push_back(program("iproute2", "ip", "install the package iproute2"));
  findings.push_back(in_namespace("veth", {"ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"},
                                  "a kernel with CONFIG_VETH (modprobe veth)"));
  findings.push_back(in_namespace("bridge", {"ip", "link", "add", "b0", "type", "bridge"},
                                  "a kernel with CONFIG_BRIDGE (modprobe bridge)"));
  findings.push_back(
      in_namespace("token bucket",
                   {"tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "1gbit", "burst", "64kb", "limit", "1mb"},
                   "a kernel with CONFIG_NET_SCH_TBF (modprobe sch_tbf)"));
  findings.push_back(in_namespace("netem", {"tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1us"},
                                  "a kernel with CONFIG_NET_SCH_NETEM (modprobe sch_netem); without it a process of "
                                  "the lab delays links of 500us and more"));
  findings.push_back(transport("MPI", "mpi", "mpirun", "install openmpi-bin and libopenmpi-dev, and build again"));
  findings.push_back(transport("UCX", "ucx", "", "install libucx-dev, and build again"));
  const std::string no_blas = Blas::why_not();
  findings.push_back({"OpenBLAS", no_blas.empty(), no_blas.empty() ? Blas::open().description() : no_blas,
                      no_blas.empty() ? "" : "install libopenblas0-serial; only for kernels (matmul)"});
  findings.push_back(
      library("CUDA driver", "libcuda.so.1", "NVIDIA's driver (package nvidia-driver); only for GPU runs"));
  findings.push_back(
      transport("NCCL", "nccl", "",
                "see docs/gpu.md: built with the CUDA toolkit, libnccl.so.2 (package libnccl2) and a GPU "
                "where it runs"));
  const auto ring = read_setting("kernel/io_uring_disabled");
  findings.push_back({"io_uring", ring == "0",
                      ring.empty() ? "this kernel does not say" : "kernel.io_uring_disabled = " + ring,
                      ring == "0" ? "" : "sysctl -w kernel.io_uring_disabled=0"});
  return findings;
}

}  // namespace lockstep::real
