#!/usr/bin/env python3
"""Draws the pictures of docs/models/packet.md: what only packets show, from results of `lockstep simulate --fidelity packet`.

usage: bench/packet_pictures.py [--lockstep build/release/cli/lockstep] [--output docs/models/packet.svg]
"""
import argparse
import json
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLOURS = ["#1b6ca8", "#c8553d", "#3a7d44", "#8e6c8a"]
WIDTH, HEIGHT, LEFT, TOP = 300, 170, 60, 46


def simulate(lockstep: Path, topology: str, workload: str, *settings: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        files = {"t.yaml": topology, "w.yaml": "name: w\ncollectives: [" + workload + "]\n"}
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        command = [str(lockstep), "simulate", "-t", "t.yaml", "-w", "w.yaml", "--fidelity", "packet", "-q", "--json", "r.json"]
        for setting in settings:
            command += ["--set", setting]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return json.loads((Path(folder) / "r.json").read_text())


def link(result: dict, begin: str, end: str) -> dict:
    idle = {"wire_bytes": 0, "paused_s": 0.0}
    return next((one for one in result["network"]["links"] if one["from"] == begin and one["to"] == end), idle)


class Panel:
    """Axes at a place of the picture, and what is drawn on them."""

    def __init__(self, number: int, title: str, x_label: str, y_label: str, x_most: float, y_most: float):
        self.x0, self.y0 = LEFT + number * (WIDTH + 90), TOP
        self.x_most, self.y_most = x_most, y_most
        self.parts = [f'<text x="{self.x0}" y="{self.y0 - 24}" font-weight="bold">{title}</text>',
                      f'<text x="{self.x0}" y="{self.y0 - 9}" fill="#555">{y_label}</text>',
                      f'<path d="M{self.x0} {self.y0} V{self.y0 + HEIGHT} H{self.x0 + WIDTH}" fill="none" stroke="#333"/>',
                      f'<text x="{self.x0 + WIDTH}" y="{self.y0 + HEIGHT + 30}" text-anchor="end" fill="#555">{x_label}</text>']
        for share in (0, 0.5, 1):
            y = self.y0 + HEIGHT * (1 - share)
            self.parts.append(f'<text x="{self.x0 - 6}" y="{y + 4}" text-anchor="end">{share * y_most:.3g}</text>')
        self.legend = 0

    def x_ticks(self):
        for share in (0, 0.5, 1):
            self.parts.append(f'<text x="{self.x0 + WIDTH * share}" y="{self.y0 + HEIGHT + 15}" text-anchor="middle">'
                              f"{share * self.x_most:.3g}</text>")

    def line(self, xs, ys, name):
        colour = COLOURS[self.legend]
        points = " ".join(f"{self.x0 + WIDTH * min(1, x / self.x_most):.1f},{self.y0 + HEIGHT * (1 - min(1, y / self.y_most)):.1f}"
                          for x, y in zip(xs, ys) if x <= self.x_most)
        self.parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        self.name(name, colour)

    def name(self, name, colour):
        y = self.y0 + HEIGHT + 48 + 15 * self.legend
        self.parts.append(f'<rect x="{self.x0}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
                          f'<text x="{self.x0 + 15}" y="{y}">{name}</text>')
        self.legend += 1

    def bars(self, groups, names):
        """groups: (label, values), one value per name."""
        room = WIDTH / len(groups)
        for g, (label, values) in enumerate(groups):
            width = room * 0.8 / len(values)
            for v, value in enumerate(values):
                height = HEIGHT * min(1, value / self.y_most)
                self.parts.append(f'<rect x="{self.x0 + g * room + room * 0.1 + v * width:.1f}" y="{self.y0 + HEIGHT - height:.1f}" '
                                  f'width="{width * 0.9:.1f}" height="{height:.1f}" fill="{COLOURS[v]}"/>')
            self.parts.append(f'<text x="{self.x0 + (g + 0.5) * room:.1f}" y="{self.y0 + HEIGHT + 15}" text-anchor="middle">{label}</text>')
        for v, name in enumerate(names):
            self.name(name, COLOURS[v])


def incast(lockstep: Path) -> Panel:
    star = "generate: {{star: {{hosts: 9, link: {{bandwidth: 100Gbps, latency: 1us, kind: roce}}}}}}\nswitching: {{samples: 512, {}}}\n"
    row = "{kind: gather, algorithm: direct, sizes: [36MiB]}"
    runs = [("pfc: the buffer fills, then senders pause", "flow_control: pfc", []),
            ("pfc with dcqcn: marked at 0.4 MB, rates are cut", "flow_control: pfc", ["profile.transport.congestion_control=dcqcn"]),
            ("none, buffer 1 MiB: drops, go-back-N", "flow_control: none, buffer: 1MiB", ["profile.transport.timeout=200us"])]
    results = [(name, link(simulate(lockstep, star.format(switching), row, *settings), "s0", "h0")["over_time"])
               for name, switching, settings in runs]
    panel = Panel(0, "Incast: 8 hosts send 4 MiB each to one", "ms", "queue at the receiver's port, MB", 4, 12)
    for name, series in results:
        panel.line([i * series["interval_s"] * 1e3 for i in range(len(series["largest_queue_bytes"]))],
                   [q / 1e6 for q in series["largest_queue_bytes"]], name)
    panel.x_ticks()
    return panel


def collisions(lockstep: Path) -> Panel:
    leaves = ("generate: {{leaf_spine: {{hosts: 8, leaves: 2, spines: 4, link: {{bandwidth: 100Gbps, latency: 500ns, kind: roce}}}}}}\n"
              "routing: {{mode: {}}}\n")
    # Every host's first partner sits on the other leaf.
    row = "{kind: all_reduce, algorithm: halving_doubling, sizes: [32MiB]}"
    groups = []
    for mode in ("ecmp", "adaptive", "spray"):
        result = simulate(lockstep, leaves.format(mode), row)
        end = result["collectives"][0]["time_s"]
        groups.append((f"{mode}: {end * 1e3:.1f} ms", [link(result, "leaf0", f"spine{s}")["wire_bytes"] / 2**20 for s in range(4)]))
    panel = Panel(1, "Collisions: halving-doubling over 4 spines", "", "MiB that the uplink of a spine carries", 1,
                  max(max(values) for _, values in groups) * 1.05)
    panel.bars(groups, [f"spine{s}" for s in range(4)])
    return panel


def pauses(lockstep: Path) -> Panel:
    nodes = ("nodes: [{{name: h0}}, {{name: h1}}, {{name: victim}}, {{name: slow}}, {{name: quick}}, {{name: a, kind: switch}}, "
             "{{name: b, kind: switch}}]\nlinks:\n")
    for ends, rate in (("h0, a", "100Gbps"), ("h1, a", "100Gbps"), ("victim, a", "100Gbps"), ("a, b", "400Gbps"), ("slow, b", "{}"),
                       ("quick, b", "100Gbps")):
        nodes += "  - {{between: [" + ends + "], bandwidth: " + rate + ", latency: 1us, kind: roce}}\n"
    nodes += "switching: {{flow_control: pfc, xoff: 128KiB}}\nplacement: [victim, quick, h0, slow, h1]\n"
    # all_to_all_v with everything for one: h0 and h1 to slow, victim to quick.
    counts = "[[0, 262144, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1048576, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1048576, 0]]"
    row = "{kind: all_to_all_v, counts: " + counts + "}"
    shares = []
    for rate in ("10Gbps", "400Gbps"):
        result = simulate(lockstep, nodes.format(rate), row)
        end = result["collectives"][0]["time_s"]
        shares.append([100 * link(result, *ends)["paused_s"] / end for ends in (("a", "b"), ("h0", "a"), ("victim", "a"))])
    panel = Panel(2, "Pauses spread: a slow receiver behind two switches", "", "% of the time that a link is paused", 1, 100)
    panel.bars([("between the switches", [shares[0][0], shares[1][0]]), ("a sender to it", [shares[0][1], shares[1][1]]),
                ("a bystander", [shares[0][2], shares[1][2]])], ["receiver of 10 Gbit/s", "receiver of 400 Gbit/s"])
    return panel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lockstep", type=Path, default=ROOT / "build/release/cli/lockstep")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/models/packet.svg")
    arguments = parser.parse_args()
    panels = [draw(arguments.lockstep.resolve()) for draw in (incast, collisions, pauses)]
    width, height = LEFT + len(panels) * (WIDTH + 90), TOP + HEIGHT + 110
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for panel in panels:
        lines += panel.parts
    arguments.output.write_text("\n".join(lines + ["</svg>"]) + "\n")
    print(f"wrote {arguments.output}")


if __name__ == "__main__":
    main()
