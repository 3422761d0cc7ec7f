// Runs a function in namespaces of its own (network, mounts, processes, and a user namespace where we are not root), so
// that a lab needs no root and leaves nothing behind.
//
//   caller ── guard ── init (process 1 of the new namespaces) ── body and everything it starts
//
// Contract:
//  - when the body returns, throws or dies, and when the caller dies (kill -9 too), every process inside is killed by
//  the kernel with
//    init, and with the last process go the namespaces, interfaces and mounts: nothing is cleaned up by code of ours;
//  - SIGINT and SIGTERM to the caller reach the body; if it does not end within 5 s, or at the second signal,
//  everything inside is
//    killed; the call then throws RunFailure("interrupted") unless the body ended with an error of its own;
//  - the body's string comes back; an exception comes back as the same kind of Error with the same message;
//  - inside, /proc is fresh where the kernel lets us (Isolation::fresh_proc), /run is empty and private, mounts do not
//  propagate.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lockstep::real {

struct IsolateOptions {
  bool always_user_namespace = false;  ///< even as root; for tests
};

/// What the body gets.
struct Isolation {
  bool user_namespace = false;    ///< false: real root
  bool fresh_proc = true;         ///< /proc shows the new process namespace
  std::vector<std::string> lost;  ///< what the machine refused, and what that costs, for people
};

/// Throws InputError with the remedy where the machine refuses the namespaces.
std::string run_isolated(const IsolateOptions& options, const std::function<std::string(const Isolation&)>& body);

/// Why this process may not create the namespaces of a lab, and what would help; empty if it may. Tries it in a child.
std::string why_isolation_is_refused(const IsolateOptions& options = {});

/// The remedy for unshare(2) having failed with `error`, from the settings of this machine (exposed for tests).
std::string isolation_remedy(int error, bool user_namespace);

}  // namespace lockstep::real
