#!/usr/bin/env python3
"""One workload file, byte for byte the same, through every backend with 2 to 8 ranks: how many of its rows have every
element right. Prints the table of docs/backends.md.

    bench/backends.py [--build build/release] [--ranks 2 3 4 5 6 7 8]
"""
import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORKLOAD = os.path.join(ROOT, "workloads", "every_algorithm.yaml")

BACKENDS = [
    ("`simulate`", ["simulate", "-t", "LAB"]),
    ("`run --backend tcp`", ["run", "--backend", "tcp"]),
    ("`run --backend mpi`", ["run", "--backend", "mpi"]),
    ("`run --backend ucx`", ["run", "--backend", "ucx"]),
    ("`run --backend ucx --transport ucx_put`", ["run", "--backend", "ucx", "--transport", "ucx_put"]),
    ("`run --backend lab`", ["run", "--backend", "lab", "-t", "LAB"]),
    ("`run --backend lab --transport mpi`", ["run", "--backend", "lab", "--transport", "mpi", "-t", "LAB"]),
    ("`run --backend lab --transport ucx`", ["run", "--backend", "lab", "--transport", "ucx", "-t", "LAB"]),
    ("`run --backend lab --transport ucx_put`", ["run", "--backend", "lab", "--transport", "ucx_put", "-t", "LAB"]),
]


def cell(binary, command, ranks, folder):
    lab = os.path.join(ROOT, "topologies", "lab_leaf_spine8.yaml")
    result = os.path.join(folder, "result.json")
    line = [binary] + [lab if word == "LAB" else word for word in command]
    line += ["-w", WORKLOAD, "--ranks", str(ranks), "--json", result, "-q"]
    done = subprocess.run(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        print(f"{' '.join(line)}:\n{done.stderr}", file=sys.stderr)
        return "failed", False
    with open(result) as file:
        rows = json.load(file)["collectives"]
    if command[0] == "simulate":
        good = sum(row["time_s"] > 0 for row in rows)
    else:
        good = sum(row["wrong"] == 0 for row in rows)
    return f"{good}/{len(rows)}", good == len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--ranks", type=int, nargs="*", default=list(range(2, 9)))
    options = parser.parse_args()
    binary = os.path.join(options.build, "cli", "lockstep")
    with open(WORKLOAD, "rb") as file:
        print(f"`workloads/every_algorithm.yaml`, SHA-256 {hashlib.sha256(file.read()).hexdigest()[:16]}...\n")
    print("| command | " + " | ".join(f"{n} ranks" for n in options.ranks) + " |")
    print("|---|" + "---|" * len(options.ranks))
    everything = True
    with tempfile.TemporaryDirectory() as folder:
        for name, command in BACKENDS:
            cells = []
            for ranks in options.ranks:
                text, good = cell(binary, command, ranks, folder)
                cells.append(text)
                everything &= good
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    sys.exit(0 if everything else 1)


if __name__ == "__main__":
    main()
