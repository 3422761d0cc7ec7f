#!/usr/bin/env python3
"""Does a disturbance do in the lab what the prediction says? Links at half rate, a link that is down, a slow rank, and nothing.

    bench/lab_faults.py [--lockstep PROGRAM] [--json FILE] [--repeat N] [--only WORD]

A star of 4 hosts at 100 to 500 Mbit/s, calibrated on point-to-point messages without faults; nothing is fitted on these runs. Each
run is a few iterations of one all-reduce; its time is the sum of them all, so that a fault that hits one of them counts. Measured:
the median of --repeat runs, with the smallest and largest; `late`: the longest from when a change was due to when it was made.
Predicted with fidelities flow and packet. Exit code 0 if packet is within 10% in every case and no element is wrong.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOUND = 0.10
# rate in Mbit/s, algorithm, size
NETWORKS = [(100, "ring", "1MiB"), (100, "tree", "4MiB"), (100, "ring", "16MiB"),
            (200, "tree", "1MiB"), (500, "ring", "4MiB"), (500, "tree", "16MiB")]
ITERATIONS = 3
FIDELITIES = ("flow", "packet")


def cases(step_s):
    """name -> the section `faults:`; times by the length of an undisturbed step, so that they fall into the run"""
    ms = lambda share: f"{max(1, round(share * step_s * 1e3))}ms"
    return {
        "nothing": "",
        "half rate": "{link: h1-s0, bandwidth: 50%}",
        "half rate for a while": f"{{at: {ms(0.5)}, for: {ms(1.0)}, link: h1-s0, bandwidth: 50%}}",
        "slow rank": "{rank: 2, slow: 2.0}",
        "slow rank for a while": f"{{at: {ms(0.5)}, for: {ms(1.0)}, rank: 2, slow: 2.0}}",
        "down for 200 ms": f"{{at: {ms(0.5)}, for: 200ms, link: h3-s0, down: true}}",
    }


def run(program, arguments):
    done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"lockstep {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stderr}")


def time_of(row, iterations):
    """of the whole run: where nothing comes or goes, one simulated iteration stands for all"""
    return sum(row["samples_s"]) if row["samples_s"] else row["time_s"] * iterations


class Network:
    def __init__(self, program, folder, rate, algorithm, size):
        self.program, self.folder, self.algorithm, self.size = program, folder, algorithm, size
        self.topology, self.profile = folder / "t.yaml", folder / "p.yaml"
        self.topology.write_text(f"name: star\ngenerate: {{star: {{hosts: 4, link: {{bandwidth: {rate}Mbps, latency: 0us}}}}}}\n")
        run(program, ["calibrate", "--backend", "lab", "-t", self.topology, "-o", self.profile, "-q"])

    def workload(self, faults):
        file = self.folder / "w.yaml"
        file.write_text(f"name: rows\ncollectives: [{{kind: all_reduce, algorithm: {self.algorithm}, sizes: [{self.size}]}}]\n"
                        f"iterations: {ITERATIONS}\nwarmup: 0\n" + (f"faults: [{faults}]\n" if faults else ""))
        return file

    def measure(self, faults):
        run(self.program, ["run", "--backend", "lab", "-t", self.topology, "-w", self.workload(faults), "--json", self.folder / "m.json", "-q"])
        return json.loads((self.folder / "m.json").read_text())

    def predict(self, faults, fidelity):
        """the network of the last measurement"""
        run(self.program, ["simulate", "-t", self.topology, "-w", self.workload(faults), "-p", self.profile, "--as-built",
                           self.folder / "m.json", "--fidelity", fidelity, "--json", self.folder / "s.json", "-q"])
        return time_of(json.loads((self.folder / "s.json").read_text())["collectives"][0], ITERATIONS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lockstep", default=ROOT / "build/release/cli/lockstep", metavar="PROGRAM")
    parser.add_argument("--json", metavar="FILE", help="keep all rows")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each case")
    parser.add_argument("--only", default="", metavar="WORD", help="cases with this in their names")
    options = parser.parse_args()

    kept = []
    print(f"{'network':23} {'case':22} {'measured':>10} {'range':>14}" + "".join(f"{name + ' (ms)':>18}" for name in FIDELITIES) + f" {'late':>8}")
    for rate, algorithm, size in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            network = Network(options.lockstep, pathlib.Path(folder), rate, algorithm, size)
            network.measure("")
            step_s = network.predict("", "flow") / ITERATIONS
            for name, faults in cases(step_s).items():
                if options.only not in name:
                    continue
                times, late, wrong = [], [], 0
                for _ in range(options.repeat):
                    result = network.measure(faults)
                    row = result["collectives"][0]
                    times.append(sum(row["samples_s"]))
                    wrong += row["wrong"]
                    for fault in result["as_built"].get("faults", []):
                        late += [fault[done] - fault[due] for due, done in (("at_s", "begun_s"), ("until_s", "ended_s"))
                                 if fault[due] and fault[done] is not None]
                measured = statistics.median(times)
                predicted = {fidelity: network.predict(faults, fidelity) for fidelity in FIDELITIES}
                errors = {fidelity: time / measured - 1 for fidelity, time in predicted.items()}
                kept.append({"rate_Mbps": rate, "algorithm": algorithm, "size": size, "case": name, "faults": faults, "times_s": times,
                             "measured_s": measured, "predicted_s": predicted, "error": errors, "late_s": late, "wrong": wrong})
                cells = "".join(f"{predicted[f] * 1e3:9.1f} ({errors[f]:+6.1%})" for f in FIDELITIES)
                print(f"{f'{rate} Mbit/s, {algorithm} {size}':23} {name:22} {measured * 1e3:7.1f} ms {min(times) * 1e3:6.0f}..{max(times) * 1e3:<6.0f}"
                      f"{cells} {f'{max(late) * 1e3:.1f} ms' if late else '-':>8}", flush=True)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(kept, indent=1) + "\n")
    for name in dict.fromkeys(row["case"] for row in kept):
        words = []
        for fidelity in FIDELITIES:
            errors = [abs(row["error"][fidelity]) for row in kept if row["case"] == name]
            words.append(f"{fidelity} {statistics.median(errors):.1%} (at most {max(errors):.1%})")
        print(f"{name}: median error of {', '.join(words)}")
    good = all(abs(row["error"]["packet"]) <= BOUND and row["wrong"] == 0 for row in kept)
    print(f"{len(kept)} cases, packet {'within' if good else 'NOT always within'} {BOUND:.0%}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
