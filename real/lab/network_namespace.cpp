#include "real/lab/network_namespace.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/base/error.hpp"

namespace lockstep::real {
namespace {

// A handle of the namespace this thread is in. By way of a socket: this needs no /proc, which a container may not show
// us.
Descriptor current_namespace() {
  const Descriptor probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!probe) throw RunFailure(fmt::format("cannot open a socket: {}", std::strerror(errno)));
  Descriptor handle(::ioctl(probe.get(), SIOCGSKNS));
  if (!handle) throw RunFailure(fmt::format("cannot get a handle of the network namespace: {}", std::strerror(errno)));
  ::fcntl(handle.get(), F_SETFD, FD_CLOEXEC);
  return handle;
}

void join(int handle, const std::string& name) {
  if (::setns(handle, CLONE_NEWNET) != 0)
    throw RunFailure(fmt::format("cannot enter the network namespace {}: {}", name, std::strerror(errno)));
}

// Where ip(8) looks for names. A name that cannot be bound costs `ip -n NAME`, so it is an error: the lab is built with
// it.
void bind_name(const std::string& name) {
  ::mkdir("/run/netns", 0755);
  const std::string path = "/run/netns/" + name;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file)
    throw RunFailure(fmt::format("cannot name the network namespace {}: {}: {}", name, path, std::strerror(errno)));
  if (::mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    throw RunFailure(fmt::format("cannot name the network namespace {}: {}{}", name, std::strerror(errno),
                                 ::access("/proc/thread-self", F_OK) == 0
                                     ? ""
                                     : " (/proc could not be mounted afresh; in a container, start it with "
                                       "--security-opt systempaths=unconfined)"));
  }
}

}  // namespace

NetworkNamespace::NetworkNamespace(std::string name) : name_(std::move(name)) {
  const Descriptor origin = current_namespace();
  if (::unshare(CLONE_NEWNET) != 0)
    throw RunFailure(fmt::format("cannot create a network namespace for {}: {}", name_, std::strerror(errno)));
  try {
    handle_ = current_namespace();
    bind_name(name_);
  } catch (...) {
    join(origin.get(), "of the lab");
    throw;
  }
  join(origin.get(), "of the lab");
}

void NetworkNamespace::enter() const { join(handle_.get(), name_); }

void show_own_interfaces() {
  if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0 &&
      (::umount2("/sys", MNT_DETACH) == 0 || errno == EINVAL) && ::mount("sysfs", "/sys", "sysfs", 0, nullptr) == 0)
    return;
  throw InputError(
      fmt::format("UCX looks for interfaces in /sys, which cannot be mounted anew for a host of the lab: {}; "
                  "in a container, start it with --security-opt systempaths=unconfined",
                  std::strerror(errno)));
}

InNamespace::InNamespace(const NetworkNamespace& where) : origin_(current_namespace()) { where.enter(); }

InNamespace::~InNamespace() {
  // Cannot fail for a namespace we came from; staying in the wrong one would falsify everything after.
  if (::setns(origin_.get(), CLONE_NEWNET) != 0)
    broken_invariant(__FILE__, __LINE__, "setns", "cannot return from a network namespace");
}

}  // namespace lockstep::real
