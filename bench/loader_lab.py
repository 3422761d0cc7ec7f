#!/usr/bin/env python3
"""A loader and an all-reduce on the same links of the lab, predicted and measured: each alone, and both.

The storage node (an HTTP object server) is the last host of lab_star4 at 100 and at 500 Mbit/s; two ranks read from it. Every case
runs --rounds times in turn; the median counts. Both together have to be slower than either alone, in both worlds.

usage: bench/loader_lab.py [--lockstep BINARY] [--rounds 5] [--profile FILE] [--json FILE]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

WORKLOAD = """name: {name}
loader:
  dataset: {{format: records, samples: {samples}, size: {size}, samples_per_shard: 400}}
  sampler: {{order: sequential}}
  storage: {{kind: object_store, latency: 300us}}
  readers: {{workers: 2, prefetch: 2}}
  batch: {{size: 10}}
  consumer: {{think: 20ms, {together}, steps: {steps}}}
"""
CASES = {"loader": ("64KiB", "barrier: true"), "all_reduce": ("64B", "all_reduce: 1MiB"), "both": ("64KiB", "all_reduce: 1MiB")}


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default="build/release/cli/lockstep")
    parser.add_argument("--topologies", default="topologies")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--profile", help="of the backend lab; its headers and message costs are then predicted too")
    parser.add_argument("--json", help="rows, for machines")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for case, (size, together) in CASES.items():
            workload = os.path.join(folder, case + ".yaml")
            with open(workload, "w", encoding="utf-8") as file:
                file.write(WORKLOAD.format(name=case, size=size, together=together, samples=20 * options.steps, steps=options.steps))
            run([options.lockstep, "dataset", "make", os.path.join(folder, case), "-w", workload])
        for rate in ("100mbps", "500mbps"):
            topology = f"{options.topologies}/lab_star4_{rate}.yaml"
            measured = {case: [] for case in CASES}
            for _ in range(options.rounds):
                for case in CASES:
                    text = run([options.lockstep, "run", "--backend", "lab", "-t", topology, "--ranks", "2", "-w",
                                os.path.join(folder, case + ".yaml"), "--dataset", os.path.join(folder, case), "--json", "-"])
                    measured[case].append(json.loads(text))
            for case in CASES:
                text = run([options.lockstep, "simulate", "-q", "-t", topology, "--ranks", "2", "-w", os.path.join(folder, case + ".yaml"),
                            "--json", "-", *(["-p", options.profile] if options.profile else [])])
                predicted = json.loads(text)
                steps = [one["summary"]["step_time_s"] for one in measured[case]]
                stall = statistics.median(one["loader"]["stall_fraction"] for one in measured[case])
                rows.append({"rate": rate, "case": case, "measured_s": statistics.median(steps),
                             "spread": (max(steps) - min(steps)) / statistics.median(steps),
                             "predicted_s": predicted["summary"]["step_time_s"], "measured_stall": stall,
                             "predicted_stall": predicted["loader"]["stall_fraction"]})
    good = True
    print(f"{'rate':8} {'case':11} {'measured':>9} {'spread':>7} {'predicted':>9} {'error':>7} {'stall':>6} {'predicted':>9}")
    for row in rows:
        row["error"] = row["predicted_s"] / row["measured_s"] - 1
        print(f"{row['rate']:8} {row['case']:11} {1e3 * row['measured_s']:6.2f} ms {row['spread']:7.1%} {1e3 * row['predicted_s']:6.2f} ms"
              f" {row['error']:+7.1%} {row['measured_stall']:6.1%} {row['predicted_stall']:9.1%}")
    for rate in ("100mbps", "500mbps"):
        for key in ("measured_s", "predicted_s"):
            times = {row["case"]: row[key] for row in rows if row["rate"] == rate}
            slower = times["both"] > max(times["loader"], times["all_reduce"])
            good = good and slower
            print(f"{rate} {key[:-2]}: both together {'slower' if slower else 'NOT slower'} than either alone")
    print(f"error of the step time: median {statistics.median(abs(row['error']) for row in rows):.1%}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
