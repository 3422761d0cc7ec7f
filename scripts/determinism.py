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
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Every topology with every workload that fits; a pair that the first build refuses must be refused by all, with the same words.
TOPOLOGIES = sorted((ROOT / "topologies").glob("*.yaml"))
WORKLOADS = sorted((ROOT / "workloads").glob("*.yaml"))
SEEDS = ("1", "2")
LARGEST_TOPOLOGIES = 12  # the pairs are run with each build; the sanitizer build is slow


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


def simulate(build: Path, topology: Path, workload: Path, seed: str, folder: str) -> tuple[int, str, str]:
    """Exit code, result without `run`, and what to show if it differs."""
    output = os.path.join(folder, "result.json")
    if os.path.exists(output):
        os.remove(output)
    command = [str(build / "cli" / "lockstep"), "simulate", "-t", str(topology.relative_to(ROOT)), "-w", str(workload.relative_to(ROOT)),
               "--seed", seed, "-q", "--json", output]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        return done.returncode, done.stderr, done.stderr
    text = without_run(Path(output).read_text())
    return 0, text, text


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
    compared = refused = differing = 0
    with tempfile.TemporaryDirectory() as folder:
        for topology, workload in itertools.product(TOPOLOGIES[:LARGEST_TOPOLOGIES], WORKLOADS):
            for seed in SEEDS:
                code, text, _ = simulate(reference, topology, workload, seed, folder)
                for build in (reference, *others):
                    other_code, other_text, _ = simulate(build, topology, workload, seed, folder)
                    if (other_code, other_text) != (code, text):
                        differing += 1
                        print(f"  differs: {topology.name} {workload.name} seed {seed}, {build.relative_to(ROOT)} against "
                              f"{reference.relative_to(ROOT)}: exit {other_code} and {code}, {first_difference(other_text, text)}")
                    compared += 1
                if code != 0:
                    refused += 1
                    continue
                digest = hashlib.sha256(text.encode()).hexdigest()[:16]
                print(f"  {topology.stem:24} {workload.stem:24} seed {seed}  {digest}")
    simulated = compared // (1 + len(others)) - refused
    if simulated == 0:
        print("error: no pair of topology and workload could be simulated", file=sys.stderr)
        return 2
    print(f"determinism: {simulated} simulations by {len(builds)} builds ({compared} comparisons, {refused} refused alike), {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["build/release"]))
