"""Compares what several builds of lockstep simulate, byte for byte outside the object `run` of the result.

usage: determinism.py BUILD_FOLDER...     (the first one is the reference, and is run twice)
"""
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Every topology with every workload that fits; a pair that the first build refuses must be refused by all, with the same words.
TOPOLOGIES = sorted((ROOT / "topologies").glob("*.yaml"))
WORKLOADS = sorted((ROOT / "workloads").glob("*.yaml"))
# And one workload in packets: as it is, between machines only, over TCP, over a sender-based transport with packets that choose
# their ways.
OF_PACKETS = "collectives_all"
PACKETS = [["--fidelity", "packet"], ["--fidelity", "mixed"],
           ["--fidelity", "packet", "--set", "profile.transport.kind=tcp"],
           ["--fidelity", "packet", "--set", "profile.transport.kind=sender_based", "--set", "topology.switching.trimming=true",
            "--set", "topology.routing.mode=spray"],
           ["--fidelity", "packet", "--set", "profile.transport.congestion_control=dcqcn", "--set", "topology.routing.mode=adaptive"]]
SEED = "7"  # not the default: one that is not passed on shows


def without_run(text: str) -> str:
    """The text of a result with the value of its top-level key `run` cut out, all other bytes as they are."""
    marker = '"run":'
    start = text.find(marker)
    if start < 0:
        raise SystemExit("error: a result without the object 'run'")
    value = start + len(marker)
    while text[value].isspace():
        value += 1
    _, end = json.JSONDecoder().raw_decode(text, value)
    return text[:value] + "{}" + text[end:]


def simulate(build: Path, topology: Path, workload: Path, more: list[str], folder: str) -> tuple[int, str]:
    """Exit code, and the result without `run`, or the message."""
    output = os.path.join(folder, "result.json")
    if os.path.exists(output):
        os.remove(output)
    command = [str(build / "cli" / "lockstep"), "simulate", "-t", str(topology.relative_to(ROOT)), "-w", str(workload.relative_to(ROOT)),
               "--seed", SEED, "-q", "--json", output, *more]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return done.returncode, done.stderr
    return 0, without_run(Path(output).read_text())


def first_difference(a: str, b: str) -> str:
    for number, (left, right) in enumerate(itertools.zip_longest(a.splitlines(), b.splitlines()), 1):
        if left != right:
            return f"line {number}:\n      {left}\n      {right}"
    return "only line ends differ"


def main(builds: list[str]) -> int:
    if not TOPOLOGIES or not WORKLOADS:
        print("error: no topologies or no workloads to simulate", file=sys.stderr)
        return 2
    reference, *others = [ROOT / build for build in builds]

    def of_all_builds(pair):
        """What the reference says, and then what it says again and what the others say."""
        with tempfile.TemporaryDirectory() as folder:
            return [simulate(build, *pair, folder) for build in (reference, reference, *others)]

    loaders = [workload for workload in WORKLOADS if "\nloader:" in workload.read_text(encoding="utf-8")]
    pairs = [(topology, workload, []) for topology, workload in itertools.product(TOPOLOGIES, WORKLOADS) if workload not in loaders]
    # A data loader sees little of a topology, and reads a million samples: hosts, and a machine with GPUs.
    pairs += [(ROOT / "topologies" / f"{name}.yaml", workload, []) for name in ("lab_star4", "h100_node") for workload in loaders]
    # In turn, so that every topology is simulated one way, and every way on many topologies.
    pairs += [(topology, ROOT / "workloads" / f"{OF_PACKETS}.yaml", PACKETS[i % len(PACKETS)]) for i, topology in enumerate(TOPOLOGIES)]
    compared = refused = differing = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (topology, workload, more), ((code, text), *again) in zip(pairs, pool.map(of_all_builds, pairs)):
            for build, (other_code, other_text) in zip((reference, *others), again):
                if (other_code, other_text) != (code, text):
                    differing += 1
                    print(f"  differs: {topology.name} {workload.name} {' '.join(more)}, {build.relative_to(ROOT)} against "
                          f"{reference.relative_to(ROOT)}: exit {other_code} and {code}, {first_difference(other_text, text)}")
                compared += 1
            if code != 0:
                refused += 1
                continue
            print(f"  {topology.stem:28} {workload.stem + (' in packets' if more else ''):28} {hashlib.sha256(text.encode()).hexdigest()[:16]}")
    simulated = compared // (1 + len(others)) - refused
    if simulated == 0:
        print("error: no pair of topology and workload could be simulated", file=sys.stderr)
        return 2
    print(f"determinism: {simulated} simulations by {len(builds)} builds ({compared} comparisons, {refused} refused alike), {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["build/release"]))
