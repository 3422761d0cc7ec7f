#!/usr/bin/env python3
"""Predicted against real data loaders on this machine, the profile calibrated on single stages only.

{1, 2, 4 workers} x {threads, processes} x {read, mmap, io_uring} x {cold, warm} x {small files, record shards}: throughput and
stall fraction. Every configuration runs --rounds times, in turn, and its median counts; its spread stands beside it.

usage: bench/loader_accuracy.py [--lockstep BINARY] [--folder FOLDER] [--rounds 3] [--samples 600] [--profile FILE] [--json FILE]
"""
import argparse
import itertools
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

WORKLOAD = """name: loader_accuracy
loader:
  dataset: {{format: {format}, content: jpeg, samples: {samples}, size: {{mean: 114660B, deviation: 20kB}}, width: 500, height: 375}}
  decode: {{kind: jpeg}}
  batch: {{size: 20}}
  consumer: {{think: 15ms}}
"""


def busy_ticks():
    """CPU time of the whole machine that was not idle, in clock ticks, and of this process's children."""
    with open("/proc/stat", encoding="utf-8") as file:
        fields = [int(word) for word in file.readline().split()[1:9]]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = (children.ru_utime + children.ru_stime) * os.sysconf("SC_CLK_TCK")
    return sum(fields) - fields[3] - fields[4], own, sum(fields)


def others_share(before, after):
    """Of all the CPU time that there was: what neither was idle nor went to our own children."""
    everything = max(after[2] - before[2], 1)
    return max(after[0] - before[0] - (after[1] - before[1]), 0) / everything


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def quantile(values, share):
    values = sorted(values)
    place = share * (len(values) - 1)
    low = int(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default="build/release/cli/lockstep")
    parser.add_argument("--topology", default="topologies/lab_star4.yaml")
    parser.add_argument("--folder", help="where the datasets are written; default: a temporary one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--profile", help="taken instead of calibrating")
    parser.add_argument("--quiet", type=float, default=0.05,
                        help="rounds in which other programs had more of the machine's CPU than this do not count; default 0.05")
    parser.add_argument("--tries", type=int, default=4, help="attempts at a quiet round, each")
    parser.add_argument("--json", help="rows, for machines")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        profile = options.profile or os.path.join(folder, "profile.yaml")
        if not options.profile:
            print(run([options.lockstep, "calibrate", "--backend", "loader", "--folder", folder, "-o", profile]))
        for layout in ("files", "records"):
            workload = os.path.join(folder, layout + ".yaml")
            with open(workload, "w", encoding="utf-8") as file:
                file.write(WORKLOAD.format(format=layout, samples=options.samples))
            run([options.lockstep, "dataset", "make", os.path.join(folder, layout), "-w", workload])
        cases = list(itertools.product((1, 2, 4), ("threads", "processes"), ("read", "mmap", "io_uring"), ("cold", "warm"),
                                       ("files", "records")))
        measured = {case: [] for case in cases}
        noisy = {case: [] for case in cases}
        predicted = {}

        def command(case):
            workers, kind, access, cache, layout = case
            settings = [f"readers.workers={workers}", f"readers.kind={kind}", f"readers.access={access}", f"cache.start={cache}"]
            if access == "io_uring":
                settings.append("readers.depth=4")
            return ["-w", os.path.join(folder, layout + ".yaml"), "--json", "-",
                    *itertools.chain(*(("--set", "workload.loader." + setting) for setting in settings))]

        for _ in range(options.rounds):
            for case in cases:
                for _ in range(options.tries):
                    before = busy_ticks()
                    text = run([options.lockstep, "run", "--dataset", os.path.join(folder, case[4]), *command(case)])
                    others = others_share(before, busy_ticks())
                    (measured if others <= options.quiet else noisy)[case].append(json.loads(text)["loader"])
                    if others <= options.quiet:
                        break
        for case in cases:
            text = run([options.lockstep, "simulate", "-q", "-t", options.topology, "--ranks", "1", "-p", profile, *command(case)])
            predicted[case] = json.loads(text)["loader"]

    rows = []
    for case in cases:
        quiet = len(measured[case])
        if quiet == 0:
            measured[case] = noisy[case]
        rate = statistics.median(one["samples_per_s"] for one in measured[case])
        stall = statistics.median(one["stall_fraction"] for one in measured[case])
        rates = [one["samples_per_s"] for one in measured[case]]
        rows.append({"case": case, "measured": rate, "predicted": predicted[case]["samples_per_s"], "quiet": quiet,
                     "error": predicted[case]["samples_per_s"] / rate - 1, "noise": (max(rates) - min(rates)) / rate,
                     "stall": stall, "predicted_stall": predicted[case]["stall_fraction"],
                     "stall_difference": predicted[case]["stall_fraction"] - stall})
    print(f"{'workers':>7} {'kind':9} {'access':8} {'cache':5} {'layout':7} {'measured':>9} {'predicted':>9} {'error':>7} {'spread':>7} {'quiet':>5}"
          f" {'stall':>6} {'predicted':>9}")
    for row in rows:
        workers, kind, access, cache, layout = row["case"]
        print(f"{workers:7} {kind:9} {access:8} {cache:5} {layout:7} {row['measured']:9.1f} {row['predicted']:9.1f} {row['error']:+7.1%}"
              f" {row['noise']:7.1%} {row['quiet']:5} {row['stall']:6.1%} {row['predicted_stall']:9.1%}")
    for name, some in (("all", rows), ("of the quiet ones", [row for row in rows if row["quiet"] > 0])):
        if not some:
            continue
        errors = [abs(row["error"]) for row in some]
        stalls = [abs(row["stall_difference"]) for row in some]
        noise = [row["noise"] for row in some]
        print(f"{len(some)} cases, {name}: throughput error median {statistics.median(errors):.1%}, p90 {quantile(errors, 0.9):.1%};"
              f" stall fraction off by median {100 * statistics.median(stalls):.1f}, p90 {100 * quantile(stalls, 0.9):.1f} points;"
              f" spread of the rounds median {statistics.median(noise):.1%}, p90 {quantile(noise, 0.9):.1%}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
