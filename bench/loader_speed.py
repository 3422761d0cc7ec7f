#!/usr/bin/env python3
"""How fast the real loader is, beside what the parts give alone, in alternating pairs of one run.

  decode   warm JPEG files of 114 KB, two workers, against libjpeg-turbo decoding the same files alone on two threads
  records  record shards, cold, by io_uring past the page cache, against fio at the same block size and depth (8 in all)

usage: bench/loader_speed.py [--lockstep BINARY] [--decoder BINARY] [--folder FOLDER] [--rounds 7]
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

IMAGES = """name: images
loader:
  dataset: {content: jpeg, samples: 800, size: 114660B, width: 500, height: 375}
  cache: {start: warm}
  readers: {workers: 2, prefetch: 4}
  decode: {kind: jpeg}
  batch: {size: 20}
"""
RECORDS = """name: records
loader:
  dataset: {format: records, samples: 4096, size: 262144B, samples_per_shard: 4096, alignment: 4KiB}
  sampler: {order: sequential}
  readers: {workers: 2, prefetch: 2, access: io_uring, depth: 4, direct: true}
  batch: {size: 128}
"""


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def report(name, unit, ours, alone):
    ratios = [one / other for one, other in zip(ours, alone)]
    print(f"{name}: loader {statistics.median(ours):.1f}, alone {statistics.median(alone):.1f} {unit}; ratio of pairs"
          f" median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default="build/release/cli/lockstep")
    parser.add_argument("--decoder", default="build/release/bench/jpeg_decode")
    parser.add_argument("--folder", help="where the datasets are written; default: a temporary one")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name, text in (("images", IMAGES), ("records", RECORDS)):
            workload = os.path.join(folder, name + ".yaml")
            with open(workload, "w", encoding="utf-8") as file:
                file.write(text)
            run([options.lockstep, "dataset", "make", os.path.join(folder, name), "-w", workload])

        def loader(name):
            text = run([options.lockstep, "run", "-w", os.path.join(folder, name + ".yaml"), "--dataset", os.path.join(folder, name),
                        "--json", "-"])
            return json.loads(text)["loader"]

        ours, alone = [], []
        for _ in range(options.rounds):
            ours.append(loader("images")["steady_samples_per_s"])
            alone.append(float(run([options.decoder, os.path.join(folder, "images"), "--threads", "2"])))
        report("decode, two workers", "images/s", ours, alone)

        if shutil.which("fio") is None:
            sys.exit("fio is missing (scripts/packages.sh --only test installs it)")
        ours, alone = [], []
        shard = os.path.join(folder, "records", "shard-000000.records")
        for _ in range(options.rounds):
            ours.append(loader("records")["read_GBps"])
            text = run(["fio", "--name=read", "--filename=" + shard, "--rw=read", "--bs=262144", "--iodepth=8", "--ioengine=io_uring",
                        "--direct=1", "--readonly", "--output-format=json"])
            alone.append(json.loads(text)["jobs"][0]["read"]["bw_bytes"] * 1e-9)
        report("records, io_uring", "GB/s", ours, alone)


if __name__ == "__main__":
    main()
