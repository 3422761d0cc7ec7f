#!/usr/bin/env bash
# clang-tidy (.clang-tidy) on the files that changed; a finding is an error.
#
#   scripts/tidy.sh              what differs from the base: LOCKSTEP_BASE, or where this branch left the main one, or, on the
#                                main branch itself, the last five commits; uncommitted changes count
#   scripts/tidy.sh --all        the whole tree, with clang's static analyzer, which takes as long again
#   scripts/tidy.sh FILE.cpp...  these
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

changed_since_base() {
  local base=${LOCKSTEP_BASE-} candidate
  if [[ -z $base ]]; then
    for candidate in origin/HEAD origin/main origin/master main master; do
      if base=$(git merge-base HEAD "$candidate" 2>/dev/null); then break; fi
      base=
    done
    if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then
      base=$(git rev-list --first-parent -n 6 HEAD | tail -n 1)
    fi
  fi
  say "changed since $(git log -1 --format='%h %s' "$base")" >&2
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } | sort -u
}

# A header is checked through a source that includes it; most have one of the same name.
sources_of() {
  local path
  while read -r path; do
    case $path in
      *.cpp) echo "$path" ;;
      *.hpp)
        if [[ -f ${path%.hpp}.cpp ]]; then
          echo "${path%.hpp}.cpp"
        else
          git grep -lF "#include \"$path\"" -- '*.cpp' | head -n 1 || true
        fi
        ;;
    esac
  done | sort -u
}

checks='-clang-analyzer-*' # added to those of .clang-tidy
case ${1-} in
  --all)
    files=$(git ls-files '*.cpp')
    checks=
    ;;
  "") files=$(changed_since_base | sources_of) ;;
  -h | --help)
    sed -n '2,7s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
  -*) die "unknown option '$1'; known: --all, --help" ;;
  *) files=$(printf '%s\n' "$@") ;;
esac

scripts/packages.sh --only build,test,check
cmake --preset asan >/dev/null
# The precompiled headers have to be there, and what does not compile is no matter for clang-tidy.
cmake --build --preset asan --parallel "$(jobs_for_machine)"

# Only what this build compiles: a fuzzer, say, has no compile command here.
compiled=$(sed -n 's/^ *"file": "\(.*\)",\{0,1\}$/\1/p' build/asan/compile_commands.json)
list=()
while read -r file; do
  [[ -n $file ]] || continue
  if grep -qxF -- "$root/${file#"$root"/}" <<<"$compiled"; then
    list+=("${file#"$root"/}")
  else
    say "clang-tidy: $file is not part of this build, left out"
  fi
done <<<"$files"
if ((${#list[@]} == 0)); then
  say "clang-tidy: no source changed"
  exit 0
fi
say "clang-tidy: ${#list[@]} files"
printf '%s\0' "${list[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy-19 -p build/asan --quiet --checks="$checks" --warnings-as-errors='*' \
    2> >(grep -vE 'warnings? (generated|treated)|^Suppressed|^Use -header-filter' >&2) ||
  die "clang-tidy has findings (above)" 1
say "clang-tidy: no finding"
