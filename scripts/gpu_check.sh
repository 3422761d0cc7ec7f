#!/usr/bin/env bash
# Checks our GPU code on this machine's first GPU and measures the GPU and its software: under 8 minutes on one GPU, and up to 5
# more where it also runs plans.
#
#   scripts/gpu_check.sh [--output FOLDER] [--quick] [BINARY]
#
# BINARY is build/release/bench/gpu_check, carried from a machine with the CUDA toolkit; without it, it is built here. A
# `lockstep` beside it also writes the topology of this machine and, with lockstep_nccl.so beside it, runs plans over NCCL.
# Libraries that this machine lacks for it may lie in lib/ there. Without it, or where it does not start, the rest is done.
# Results go to FOLDER (default: build/gpu_check): gpu_check.json; nccl_time_slices.json; nccl_mps.json, where NVIDIA's MPS can
# be started; plans_*.json; topology.yaml; NCCL's logs.
# Exit code: 0 done, 1 a check failed, 2 bad usage, 3 no GPU.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

output=build/gpu_check
binary=
options=()
while (($#)); do
  case $1 in
    --output)
      (($# > 1)) || die "--output needs a folder"
      output=$2
      shift
      ;;
    --quick) options+=(--quick) ;;
    -h | --help)
      sed -n '2,12s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    -*) die "unknown option '$1'; known: --output FOLDER, --quick, --help" ;;
    *)
      [[ -z $binary ]] || die "one BINARY only, not also '$1'"
      binary=$1
      ;;
  esac
  shift
done
if [[ -z $binary ]]; then
  command -v cmake >/dev/null || die "no BINARY given, and no cmake to build one: scripts/packages.sh brings it"
  cmake --preset release -DLOCKSTEP_CUDA=ON >/dev/null
  cmake --build --preset release --parallel "$(jobs_for_machine)" --target gpu_check
  binary=build/release/bench/gpu_check
fi
[[ -x $binary ]] || die "$binary: no such program"
mkdir -p "$output"

# cuBLASLt and NCCL often come with a Python framework, where the dynamic linker does not look.
libraries=$(
  {
    for python in python3 python; do
      command -v "$python" >/dev/null &&
        "$python" -c 'import site, sysconfig; print("\n".join([sysconfig.get_paths()["purelib"], *site.getsitepackages()]))' 2>/dev/null |
        while read -r site; do ls -d "$site"/nvidia/*/lib 2>/dev/null; done
    done
    ls -d "${CUDA_HOME:-/usr/local/cuda}"/lib64 2>/dev/null
  } | awk '!seen[$0]++' | paste -sd: || true
)
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

say "the device as its driver tells of it"
{ nvidia-smi && nvidia-smi -q && nvidia-smi topo -m; } >"$output/nvidia_smi.txt" 2>&1 || say "nvidia-smi: not here, or it failed"

lockstep=$(dirname "$binary")/lockstep
[[ -x $lockstep ]] || lockstep=build/release/cli/lockstep
with_lockstep() { LD_LIBRARY_PATH=$(dirname "$lockstep")/lib:$LD_LIBRARY_PATH "$lockstep" "$@"; }
runs_plans=no
if [[ -x $lockstep ]]; then
  with_lockstep topology discover >"$output/topology.yaml" 2>"$output/topology.log" && say "topology: $output/topology.yaml" ||
    say "topology: not written ($output/topology.log says why)"
  # A library that it is linked with may be missing: then its own words say which.
  if with_lockstep doctor >"$output/doctor.txt" 2>&1 && grep -q '^NCCL  *yes' "$output/doctor.txt"; then
    runs_plans=yes
  else
    say "plans over NCCL: not run ($output/doctor.txt says why)"
  fi
else
  say "plans over NCCL: not run, no program lockstep beside $binary or in build/release/cli"
fi

status=0
plans() { # SHARING RANKS WORKLOAD...: whole plans by lockstep, every element checked
  local sharing=$1 ranks=$2 workload name
  shift 2
  [[ $runs_plans == yes ]] || return 0
  for workload in "$@"; do
    name=plans_${sharing}_${workload}_${ranks}
    if LD_LIBRARY_PATH=$(dirname "$lockstep")/lib:$LD_LIBRARY_PATH timeout 90 "$lockstep" run -w "workloads/$workload.yaml" \
      --backend nccl --ranks "$ranks" --json "$output/$name.json" >"$output/$name.txt" 2>&1; then
      say "$name: done, every element right"
    else
      status=1
      say "$name: failed ($output/$name.txt): $(tail -n 1 "$output/$name.txt")"
    fi
  done
}
part() { # SECONDS FILE OPTIONS...: one run of the program, bounded in time; what fails is remembered, what cannot run ends here
  local limit=$1 file=$2 code=0
  shift 2
  timeout "$limit" "$binary" --json "$output/$file" "${options[@]}" "$@" || code=$?
  ((code == 0 || code == 1 || code == 124)) || exit "$code"
  ((code == 0)) || status=1
}
part 200 gpu_check.json --sections device,checks,launches,copies,allocations,kernels,products,overlap

# Without MPS, processes have the GPU by turns of a millisecond or two, and a rank that waits for another wastes its turn:
# does it work, and what does that cost? With MPS, their kernels run side by side: what are NCCL's times?
options+=(--folder "$output")
folder=$(mktemp -d)
mps=no
end_mps() {
  [[ $mps == no ]] || echo quit | timeout 20 nvidia-cuda-mps-control >/dev/null 2>&1 || true
  rm -rf "$folder"
}
trap end_mps EXIT
# A daemon of MPS that happens to run is not to be found.
mkdir -p "$folder/none" "$folder/pipe" "$folder/log"
export CUDA_MPS_PIPE_DIRECTORY=$folder/none
part 60 nccl_time_slices.json --sections nccl --quick --nccl-ranks 2 --sharing "time slices"
plans alone 1 quickstart
plans slices 2 every_native every_algorithm
if command -v nvidia-cuda-mps-control >/dev/null; then
  export CUDA_MPS_PIPE_DIRECTORY=$folder/pipe CUDA_MPS_LOG_DIRECTORY=$folder/log
  if nvidia-cuda-mps-control -d; then
    mps=yes
    part 220 nccl_mps.json --sections nccl --nccl-ranks 2,4,8 --sharing mps
    plans mps 2 every_native every_algorithm
    plans mps 4 every_native every_algorithm
  else
    say "MPS: cannot be started here"
  fi
else
  say "MPS: no nvidia-cuda-mps-control here"
fi
say "results in $output"
exit "$status"
