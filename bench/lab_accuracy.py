#!/usr/bin/env python3
"""How near do predictions come to the lab? Runs `lockstep check` on each topology and prints the errors by band of sizes.

    bench/lab_accuracy.py [--lockstep PROGRAM] [--workload FILE] [--json FILE] [TOPOLOGY...]

Every topology is calibrated anew on point-to-point messages (nothing is fitted on the collectives), and stands for itself: the
bands are never pooled over topologies. Exit code 0 if every topology that counts keeps the bounds below, 1 if one does not.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOPOLOGIES = ["lab_star4_100mbps", "lab_star4_500mbps", "lab_star4", "lab_star8_100mbps", "lab_star8",
              "lab_leaf_spine8_100mbps", "lab_leaf_spine8"]
KIB, MIB = 1 << 10, 1 << 20
# name, least size, largest size (inclusive), bound of the median, bound of the 90th percentile
BANDS = [("1..16 KiB", KIB, 16 * KIB, 0.30, None),
         ("16..256 KiB", 16 * KIB, 256 * KIB, 0.15, None),
         ("256 KiB..16 MiB", 256 * KIB, 16 * MIB, 0.05, 0.15)]
CPU_LIMITED_SHARE = 0.10


def percentile(values, quantile):
    """Linear interpolation between the nearest two, as core/base/statistics.hpp has it."""
    ordered = sorted(values)
    position = quantile * (len(ordered) - 1)
    below = int(position)
    if below + 1 >= len(ordered):
        return ordered[-1]
    return ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])


def check(program, topology, workload, extra):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "comparison.json")
        command = [program, "check", "-t", topology, "-w", workload, "--recalibrate", "--tolerance", "1000%", "--json", file, *extra]
        done = subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{topology}: exit code {done.returncode}\n{done.stderr}")
        return json.loads(file.read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("topologies", nargs="*", metavar="TOPOLOGY")
    parser.add_argument("--lockstep", default=ROOT / "build/release/cli/lockstep", metavar="PROGRAM")
    parser.add_argument("--workload", default=ROOT / "workloads/lab_accuracy.yaml", metavar="FILE")
    parser.add_argument("--json", metavar="FILE", help="keep all rows")
    parser.add_argument("--rows", action="store_true", help="print every row")
    parser.add_argument("--option", action="append", default=[], help="a further option of check")
    options = parser.parse_args()

    kept = {}
    passed = True
    print(f"{'topology':26} {'sizes':16} {'rows':>4} {'median':>7} {'p90':>7} {'max':>7}  {'verdict'}")
    for name in options.topologies or TOPOLOGIES:
        file = name if name.endswith(".yaml") else ROOT / f"topologies/{name}.yaml"
        comparison = check(options.lockstep, file, options.workload, options.option)
        rows = comparison["rows"]
        kept[name] = [{key: row[key] for key in row if key != "samples_s"} for row in rows]
        for band, least, largest, median_bound, p90_bound in BANDS:
            errors = [row["error"] for row in rows if least <= row["size_bytes"] <= largest]
            if not errors:
                continue
            median, p90 = percentile(errors, 0.5), percentile(errors, 0.9)
            good = median <= median_bound and (p90_bound is None or p90 <= p90_bound)
            passed = passed and good
            print(f"{name:26} {band:16} {len(errors):4} {median:7.1%} {p90:7.1%} {max(errors):7.1%}  {'within' if good else 'OVER'}")
        limited = sum(1 for row in rows if row.get("cpu_limited"))
        wrong = sum(row.get("wrong") or 0 for row in rows)
        load = comparison["measured"]["run"]["load_average"]
        good = limited <= CPU_LIMITED_SHARE * len(rows) and wrong == 0
        passed = passed and good
        print(f"{name:26} {limited} of {len(rows)} rows CPU-limited, {wrong} wrong elements, load {load:.2f}  {'within' if good else 'OVER'}",
              flush=True)
        if options.rows:
            for row in rows:
                print(f"    {row['algorithm']:18} {row['size_bytes']:>9} predicted {row['predicted_s'] * 1e6:11.1f} us, measured "
                      f"{row['measured_s'] * 1e6:11.1f} us {row['signed_error']:+7.1%}{' CPU' if row.get('cpu_limited') else ''}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(kept, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
