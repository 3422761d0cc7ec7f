#!/usr/bin/env python3
"""How near do predictions come to two ranks on one machine? Rounds of a calibration and a run, over loopback and shared memory.

    bench/loopback_accuracy.py [--lockstep PROGRAM] [--rounds 9] [--json FILE] [BACKEND...]

Each round is `lockstep check --recalibrate`: messages between the ranks are measured and fitted, the collectives (64 KiB to 16 MiB)
are predicted with that and then run. A process on a virtual machine finds the machine in one of a few moods and keeps it, so a round
whose calibration and run differ is off as a whole; the median over rounds is what counts. Exit code 0 if that is within 15% for
tcp and ucx. For a quiet machine with two cores.
"""
import argparse
import json
import pathlib
import statistics
import sys
import tempfile

from lab_accuracy import check

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOUND = 0.15
BOUNDED = ("tcp", "ucx")
SIZES = "[64KiB, 256KiB, 1MiB, 4MiB, 16MiB]"
KINDS = ["all_reduce, algorithm: ring", "all_gather, algorithm: ring", "reduce_scatter, algorithm: ring", "all_to_all", "broadcast"]
# A network that is never the limit: there is none.
TOPOLOGY = "name: one_machine\ngenerate: {star: {hosts: 2, link: {bandwidth: 10000Gbps, latency: 0us}}}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default=str(ROOT / "build" / "release" / "cli" / "lockstep"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json")
    parser.add_argument("backends", nargs="*", default=["tcp", "ucx", "mpi"], metavar="BACKEND")
    options = parser.parse_args()
    result, good = {}, True
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "t.yaml").write_text(TOPOLOGY)
        rows = "".join(f"  - {{kind: {kind}, sizes: {SIZES}}}\n" for kind in KINDS)
        pathlib.Path(folder, "w.yaml").write_text("name: loopback\ncollectives:\n" + rows)
        for backend in options.backends:
            rounds = [check(options.lockstep, f"{folder}/t.yaml", f"{folder}/w.yaml", ["--backend", backend])["rows"]
                      for _ in range(options.rounds)]
            medians = [statistics.median(abs(row["signed_error"]) for row in one) for one in rounds]
            middle = statistics.median(medians)
            good &= backend not in BOUNDED or middle <= BOUND
            print(f"{backend}: median error of a round {' '.join(f'{100 * m:.1f}' for m in medians)} %, median of those {100 * middle:.1f}%")
            for i, row in enumerate(rounds[0]):
                measured = statistics.median(one[i]["measured_s"] for one in rounds)
                error = statistics.median(one[i]["signed_error"] for one in rounds)
                print(f"    {row['kind']:16} {row['size_bytes'] >> 10:6} KiB {measured * 1e6:9.1f} us {100 * error:+6.1f}%")
            result[backend] = {"medians": medians, "rows": rounds}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=1))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
