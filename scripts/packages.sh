#!/usr/bin/env bash
# Installs the Debian 12 packages that Lockstep needs: only what is missing, as root or through sudo.
#
#   scripts/packages.sh                 everything
#   scripts/packages.sh --only build    one group, or several: --only build,test
#   scripts/packages.sh --print         lists the packages (with --only: of these groups) and installs nothing
#
# Groups: build (compile and run), test (scripts/test.sh), check (.ci/run: clang, clang-tidy, fuzzers), deep (scripts/deep.sh).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

declare -A packages
packages[build]="
  g++ cmake ninja-build ccache git ca-certificates pkg-config
  libboost1.81-dev libfmt-dev libspdlog-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libpugixml-dev
  libssl-dev
  openmpi-bin libopenmpi-dev libucx-dev libhwloc-dev liburing-dev libturbojpeg0-dev libopenblas0-serial
  iproute2 procps util-linux"
packages[test]="
  libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev
  python3 python3-jsonschema iperf3 libgloo-dev fio"
packages[check]="clang-19 clang-tidy-19 libclang-rt-19-dev"
packages[deep]="debootstrap"
groups=(build test check deep)

print=no
while (($#)); do
  case $1 in
    --print) print=yes ;;
    --only)
      (($# > 1)) || die "--only needs a group: ${groups[*]}"
      IFS=, read -r -a groups <<<"$2"
      shift
      ;;
    -h | --help)
      sed -n '2,9s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) die "unknown option '$1'; known: --only GROUP[,GROUP...], --print, --help" ;;
  esac
  shift
done

wanted=()
for group in "${groups[@]}"; do
  [[ -n ${packages[$group]-} ]] || die "unknown group '$group'; known: build, test, check, deep"
  # shellcheck disable=SC2206  # the lists are words on purpose
  wanted+=(${packages[$group]})
done

if [[ $print == yes ]]; then
  printf '%s\n' "${wanted[@]}"
  exit 0
fi
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  die "this is no Debian system; install the equivalents of: ${wanted[*]}"

missing=()
installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${wanted[@]}" 2>/dev/null | awk '$1 == "ii" {print $2}' || true)
for package in "${wanted[@]}"; do
  grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  say "packages: all ${#wanted[@]} are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null ||
    die "missing packages, and neither root nor sudo to install them; as root: apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo)
  [[ -t 0 ]] || as_root+=(-n)  # nobody there to type a password
fi
say "packages: installing ${#missing[@]} of ${#wanted[@]}: ${missing[*]}"
apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
# A third-party source that cannot be reached does not matter if the packages can be had.
"${as_root[@]}" "${apt[@]}" update </dev/null || say "packages: apt-get update had errors; trying with the lists at hand"
"${as_root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}" </dev/null ||
  die "apt-get could not install: ${missing[*]}" 3
