# Libraries, all from Debian 12; scripts/packages.sh holds the list of packages.

# lockstep_need(NAME PACKAGE [find_package arguments...]): a library that the build cannot do without.
macro(lockstep_need name package)
  find_package(${name} ${ARGN} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "${name} is missing: run scripts/packages.sh, or install ${package} (its name on Debian 12).")
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
lockstep_need(Threads libc6-dev)
lockstep_need(fmt libfmt-dev)
lockstep_need(spdlog libspdlog-dev)
lockstep_need(yaml-cpp libyaml-cpp-dev)
lockstep_need(nlohmann_json nlohmann-json3-dev)
lockstep_need(CLI11 libcli11-dev)
lockstep_need(OpenSSL libssl-dev COMPONENTS Crypto)
lockstep_need(Boost libboost1.81-dev 1.81)
if(LOCKSTEP_TESTS)
  lockstep_need(GTest libgtest-dev)
  lockstep_need(rapidcheck librapidcheck-dev)
  lockstep_need(Python3 python3 COMPONENTS Interpreter)
endif()
