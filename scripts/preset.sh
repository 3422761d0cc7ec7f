#!/usr/bin/env bash
# Configures, builds and tests one preset of CMakePresets.json.
#
#   scripts/preset.sh PRESET [TARGET] [--build-only]      scripts/preset.sh asan; scripts/preset.sh tsan threaded_tests
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=
target=all
tests=yes
for argument in "$@"; do
  case $argument in
    --build-only) tests=no ;;
    -h | --help)
      sed -n '2,4s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*) die "unknown option '$argument'; known: --build-only, --help" ;;
    *) if [[ -z $preset ]]; then preset=$argument; else target=$argument; fi ;;
  esac
done
[[ -n $preset ]] || die "which preset? cmake --list-presets lists them"

cmake --preset "$preset" -DLOCKSTEP_TESTS=ON
cmake --build --preset "$preset" --parallel "$(jobs_for_machine)" --target "$target"
[[ $tests == no ]] || ctest --preset "$preset" --parallel "$(nproc)" </dev/null
