#!/usr/bin/env bash
# Same input, same bytes: simulates pairs of topology and workload with three builds (gcc -O3, clang -O1, gcc -O1)
# and twice with the first, and compares the results without their object 'run'.
#
#   scripts/determinism.sh [--no-build]
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The sanitizer builds serve as those of another compiler and another level of optimisation: they are built anyhow.
builds=(release asan tsan)
case ${1-} in
  "")
    scripts/packages.sh --only build,check
    for build in "${builds[@]}"; do
      # The tests stay as they were configured; only the program is built.
      [[ -f build/$build/CMakeCache.txt ]] || cmake --preset "$build" -DLOCKSTEP_TESTS=OFF >/dev/null
      cmake --build --preset "$build" --parallel "$(jobs_for_machine)" --target lockstep
    done
    ;;
  --no-build) ;;
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *) die "unknown option '$1'; known: --no-build, --help" ;;
esac

exec python3 scripts/determinism.py "${builds[@]/#/build/}"
