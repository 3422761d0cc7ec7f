#!/usr/bin/env bash
# Release build (warnings are errors) and all tests.
#
#   scripts/test.sh            everything (under 10 minutes once the packages are there)
#   scripts/test.sh --fast     without the tests labelled 'slow' (under a minute once built)
#   scripts/test.sh -R REGEX   options that are not ours go to ctest
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=release
options=()
for argument in "$@"; do
  case $argument in
    --fast) preset=fast ;;
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) options+=("$argument") ;;
  esac
done

scripts/packages.sh --only build,test
say "building (release)"
cmake --preset release -DLOCKSTEP_TESTS=ON >/dev/null
cmake --build --preset release --parallel "$(jobs_for_machine)"

say "testing (preset $preset)"
log=build/release/test.log
status=0
ctest --preset "$preset" --parallel "$(nproc)" "${options[@]}" </dev/null 2>&1 | tee "$log" || status=$?
# ctest puts times by label below its verdict; the verdict is what a reader looks for at the end.
grep -E '^[0-9]+% tests passed' "$log" || say "ctest ended without a verdict (exit code $status)"
exit "$status"
