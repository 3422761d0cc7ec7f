"""Line length, leftovers, once-only headers, and files that nothing reaches."""
import json
import re
from pathlib import Path

from repository import CPP, Finding, room_of

LONGEST_LINE = 120  # C++, where clang-format breaks lines by itself
LONGEST_LINE_OF_SCRIPTS = 150
LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
ROOMS = ("core", "sim", "real", "study", "cli")
CODE = (*CPP, ".py", ".sh", ".cmake", "CMakeLists.txt", ".ci/run")
TEXT = (*CODE, ".md", ".yaml", ".yml", ".json", ".html", ".ts", ".txt")


def line_lengths(repository):
    for path in repository.having(*CODE):
        free = False
        limit = LONGEST_LINE if path.endswith(CPP) else LONGEST_LINE_OF_SCRIPTS
        raw_string_end = None
        for number, line in enumerate(repository.text(path).splitlines(), 1):
            if "clang-format off" in line:
                free = True
            if "clang-format on" in line:
                free = False
            inside = raw_string_end is not None
            if inside and raw_string_end in line:
                raw_string_end = None
            elif not inside:
                opened = re.search(r'R"([^()\\\s]{0,16})\((?!.*\)\1")', line)
                if opened and path.endswith(CPP):
                    raw_string_end, inside = f'){opened.group(1)}"', True
            # A table, a text that is compared as a whole, or an address cannot be broken.
            whole = re.search(r'"(?:\\.|[^"\\]){60,}"|https?://\S{40,}', line)
            table = re.match(r"\s*(?://|#|\*)?\s*\|.*\|\s*$", line) or re.match(r"\s*\{.*\},?\s*(//.*)?$", line)
            if len(line) > limit and not (free or inside or whole or table):
                yield Finding(path, number, "length", f"{len(line)} columns; {limit} is the limit (tables stand between clang-format off and on)")


def leftovers(repository):
    for path in repository.having(*TEXT):
        for number, line in enumerate(repository.text(path).splitlines(), 1):
            match = LEFTOVER.search(line)
            if match and not path.startswith("tests/fuzz/corpus/"):
                yield Finding(path, number, "leftover", f"'{match.group()}': finish it, or open an issue")


def headers(repository):
    included = {name for path in repository.having(*CPP) for _, name, _ in repository.includes(path)}
    cmake = "".join(repository.text(path) for path in repository.having("CMakeLists.txt", ".cmake"))
    for path in repository.having(".hpp"):
        if "#pragma once" not in repository.code(path):
            yield Finding(path, 1, "header", "a header begins with #pragma once")
        if path not in included and path not in cmake:
            yield Finding(path, 1, "reach", "nothing includes this header")


def sources(repository, compile_commands):
    """With compile_commands.json: what the build compiles. Without: what the globs of CMake take."""
    if compile_commands:
        root = repository.root.resolve()
        compiled = {entry["file"] for entry in json.loads(Path(compile_commands).read_text(encoding="utf-8"))}
        unreached = [path for path in repository.having(".cpp") if str(root / path) not in compiled]
    else:
        taken = re.compile(r"^((core|sim|real|study)/.*|(cli|cmake)/[^/]*|tests/\w+/[^/]*)\.cpp$")
        unreached = [path for path in repository.having(".cpp") if not taken.match(path)]
    for path in unreached:
        if not path.startswith(("bench/", "real/gpu/cuda/", "real/nccl/", "tests/stand_in/")):  # built where they can be: benchmarks if asked for, CUDA if there
            yield Finding(path, 1, "reach", "no build compiles this source (cli/ and the rooms of tests/ have no folders)")
    for path in repository.having(".cpp", ".hpp"):
        if room_of(path) in ROOMS and not repository.code(path).strip():
            yield Finding(path, 1, "reach", "nothing in it")


def scripts(repository):
    for path in repository.having("", under="scripts/"):
        name = path.split("/")[-1]
        others = [other for other in repository.paths if other != path and other.endswith((".sh", ".md", ".ci/run", ".py", ".txt", ".yml"))]
        if not any(name in repository.text(other) for other in others):
            yield Finding(path, 1, "reach", "neither a script nor a page mentions it")


def check(repository, compile_commands=None):
    yield from line_lengths(repository)
    yield from leftovers(repository)
    yield from headers(repository)
    yield from sources(repository, compile_commands)
    yield from scripts(repository)
