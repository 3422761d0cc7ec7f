#!/usr/bin/env bash
# Fuzzes every reader from its corpus (tests/fuzz/corpus/NAME), a part of the cores' number at a time.
#
#   scripts/fuzz.sh [--seconds 20] [NAME...]     NAME: topology for tests/fuzz/topology_fuzzer.cpp; default: all
#
# A finding is left in build/asan/fuzz/findings; put it into the reader's corpus, where the normal tests replay it for ever.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=20
names=()
while (($#)); do
  case $1 in
    --seconds)
      (($# > 1)) || die "--seconds needs a number"
      seconds=$2
      shift
      ;;
    -h | --help)
      sed -n '2,6s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*) die "unknown option '$1'; known: --seconds N, --help" ;;
    *) names+=("$1") ;;
  esac
  shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "--seconds takes a whole number of at least 1, not '$seconds'"

known=()
for source in tests/fuzz/*_fuzzer.cpp; do
  source=${source##*/}
  known+=("${source%_fuzzer.cpp}")
done
((${#names[@]})) || names=("${known[@]}")
for name in "${names[@]}"; do
  [[ -f tests/fuzz/${name}_fuzzer.cpp ]] || die "no fuzzer '$name'; known: ${known[*]}"
done

scripts/packages.sh --only build,check
cmake --preset asan >/dev/null
cmake --build --preset asan --parallel "$(jobs_for_machine)" --target fuzzers

mkdir -p build/asan/fuzz/findings
fuzz_one() {
  local name=$1 seconds=$2 log=build/asan/fuzz/findings/$1.log
  mkdir -p "build/asan/fuzz/corpus/$name"
  # New inputs go into the first folder: the build's, never the repository's.
  if "build/asan/tests/fuzz/${name}_fuzzer" "build/asan/fuzz/corpus/$name" "tests/fuzz/corpus/$name" -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2560 -max_len=16384 -artifact_prefix="build/asan/fuzz/findings/$name-" -print_final_stats=1 \
    >"$log" 2>&1 </dev/null; then
    printf '    %-12s %s runs, no finding\n' "$name" "$(awk '/number_of_executed_units/ {print $2}' "$log")"
  else
    tail -n 60 "$log"
    printf 'error: fuzzer %s has a finding: %s\n' "$name" "$(grep -oE 'build/asan/fuzz/findings/[^ ]+' "$log" | tail -n 1)"
    return 1
  fi
}
export -f fuzz_one
say "fuzzing ${names[*]}, $seconds s each"
printf '%s\n' "${names[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one "$1" "$2"' _ {} "$seconds" || exit 1
