#!/usr/bin/env bash
# What takes too long for every change, run by hand before a release: ten minutes of fuzzing for each reader, clang-tidy over
# the whole tree, the optimised build with all checks and sanitizers, and the README's two commands on a fresh machine.
#
#   scripts/deep.sh [--seconds 600]     time for each fuzzer
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=600
case ${1-} in
  "") ;;
  --seconds) seconds=${2:?--seconds needs a number} ;;
  -h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  *) die "unknown option '$1'; known: --seconds N, --help" ;;
esac

scripts/packages.sh
say "fuzzing"
scripts/fuzz.sh --seconds "$seconds"
say "clang-tidy, the whole tree"
scripts/tidy.sh --all
say "relassert: optimised, all checks, sanitizers"
cmake --preset relassert >/dev/null
cmake --build --preset relassert --parallel "$(jobs_for_machine)"
ctest --preset relassert --parallel "$(nproc)" </dev/null
say "fresh machine"
scripts/fresh-machine.sh
say "deep: all done"
