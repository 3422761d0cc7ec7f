#!/usr/bin/env python3
"""Our own ring all-reduce against other people's: MPI_Allreduce in the lab (1 Gbit/s, 4 hosts, 16 MiB, Open MPI over TCP),
and Gloo's ring over loopback (2 ranks, 64 MiB). Pairs of runs alternate; what counts is the median of the pairs' ratios.

    bench/against.py [--build build/release] [--pairs 15] [mpi] [gloo]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout


class Lockstep:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def time_us(self, algorithm, size, iterations, options):
        workload = os.path.join(self.folder, "workload.yaml")
        result = os.path.join(self.folder, "result.json")
        with open(workload, "w") as file:
            file.write(
                "name: against\n"
                f"iterations: {iterations}\nwarmup: 3\n"
                f"collectives: [{{kind: all_reduce, algorithm: {algorithm}, size: {size}}}]\n"
            )
        run([self.binary, "run", "-w", workload, "--json", result, *options])
        with open(result) as file:
            row = json.load(file)["collectives"][0]
        assert row["wrong"] == 0
        return row["time_s"] * 1e6


def compare(name, pairs, ours, theirs, most):
    ratios = []
    for pair in range(pairs):
        # Who goes first alternates too.
        if pair % 2 == 0:
            a, b = ours(), theirs()
        else:
            b, a = theirs(), ours()
        ratios.append(a / b)
        print(f"  pair {pair + 1:2}: ours {a:9.0f} us, theirs {b:9.0f} us, ratio {a / b:.3f}", flush=True)
    middle = statistics.median(ratios)
    print(f"{name}: median ratio {middle:.3f} of {pairs} pairs ({min(ratios):.3f} to {max(ratios):.3f}); at most {most} is asked for")
    return middle <= most


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("what", nargs="*", default=[], choices=[[], "mpi", "gloo"])
    options = parser.parse_args()
    what = options.what or ["mpi", "gloo"]
    good = True
    with tempfile.TemporaryDirectory() as folder:
        ours = Lockstep(os.path.join(options.build, "cli", "lockstep"), folder)
        if "mpi" in what:
            lab = ["--backend", "lab", "-t", os.path.join(ROOT, "topologies", "lab_star4.yaml")]
            good &= compare(
                "lab, ring of 16 MiB on 4 hosts against MPI_Allreduce (ob1, tcp)",
                options.pairs,
                lambda: ours.time_us("ring", "16MiB", 7, lab),
                lambda: ours.time_us("native", "16MiB", 7, lab + ["--transport", "mpi"]),
                1.03,
            )
        if "gloo" in what:
            gloo = os.path.join(options.build, "bench", "gloo_ring")
            if not os.path.exists(gloo):
                sys.exit("bench/gloo_ring is not built: install libgloo-dev and configure again")
            good &= compare(
                "loopback, ring of 64 MiB on 2 ranks against Gloo's ring",
                options.pairs,
                lambda: ours.time_us("ring", "64MiB", 20, ["--backend", "tcp", "--ranks", "2"]),
                lambda: float(run([gloo, "--iterations", "20"])),
                1.00,
            )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
