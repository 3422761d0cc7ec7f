"""Pages and data: links resolve, commands exist, every data file stands in its index, every page can be reached."""
import os
import re

from repository import Finding

DATA_FOLDERS = ("topologies", "workloads", "profiles")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
DATA_FILE = re.compile(r"(?<![\w/.-])((?:topologies|workloads|profiles|scripts)/[\w./-]+\.(?:yaml|sh|py))\b")


def anchor(heading):
    """As common renderers of Markdown make it."""
    heading = re.sub(r"`|\*|\[([^\]]*)\]\([^)]*\)", lambda match: match.group(1) or "", heading)
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def without_code_blocks(text):
    return re.sub(r"^```.*?^```", lambda match: re.sub(r"[^\n]", " ", match.group()), text, flags=re.MULTILINE | re.DOTALL)


def anchors(text):
    return {anchor(match.group(1)) for match in re.finditer(r"^#+\s+(.*)$", without_code_blocks(text), re.MULTILINE)}


def links(repository, path):
    """(line number, file it points to, anchor) of the links that stay in the repository."""
    for number, line in enumerate(without_code_blocks(repository.text(path)).splitlines(), 1):
        for match in LINK.finditer(re.sub(r"`[^`]*`", lambda code: " " * len(code.group()), line)):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            file, _, fragment = target.partition("#")
            yield number, os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path, fragment


def broken_links(repository):
    for path in repository.having(".md"):
        for number, target, fragment in links(repository, path):
            if not repository.exists(target):
                yield Finding(path, number, "link", f"{target} does not exist")
            elif fragment and target.endswith(".md") and fragment not in anchors(repository.text(target)):
                yield Finding(path, number, "link", f"{target} has no heading '#{fragment}'")


def unreached_pages(repository):
    if "README.md" not in repository.paths:
        yield Finding("README.md", 1, "link", "there is no README.md")
        return
    reached, waiting = {"README.md"}, ["README.md"]
    while waiting:
        for _, target, _ in links(repository, waiting.pop()):
            if target not in reached and target in repository.paths and target.endswith(".md"):
                reached.add(target)
                waiting.append(target)
    for path in repository.having(".md"):
        if path not in reached:
            yield Finding(path, 1, "reach", "no chain of links from README.md leads to this page")


def data_indexes(repository):
    for folder in DATA_FOLDERS:
        files = repository.having(".yaml", under=folder + "/")
        if not files:
            continue
        index = f"{folder}/README.md"
        listed = set(re.findall(r"[\w./-]+\.yaml", repository.text(index))) if index in repository.paths else set()
        for path in files:
            name = os.path.relpath(path, folder)
            if name not in listed and path not in listed:
                yield Finding(path, 1, "index", f"{index} does not list it")
            stated = re.search(r"^name:\s*(\S+)", repository.text(path), re.MULTILINE)
            if not stated or stated.group(1) != os.path.basename(path)[: -len(".yaml")]:
                yield Finding(path, 1, "index", f"its 'name:' is {stated.group(1) if stated else 'missing'}, not that of the file")
        for name in listed:
            if not repository.exists(os.path.join(folder, name)) and not repository.exists(name):
                yield Finding(index, 1, "index", f"lists {name}, which does not exist")


def commands(repository):
    """What pages tell people to run: scripts, data files, commands and flags of lockstep."""
    cli = "".join(repository.text(path) for path in repository.having(".cpp", under="cli/"))
    flags = set(re.findall(r"--[a-z][\w-]*", cli)) | {"--help", "--version"}
    names = set(re.findall(r'"([a-z]+)"', cli))
    for path in repository.having(".md"):
        block = False
        for number, line in enumerate(repository.text(path).splitlines(), 1):
            if line.startswith("```"):
                block = not block and line.startswith("```sh")
                continue
            for match in DATA_FILE.finditer(line):
                if not repository.exists(match.group(1)):
                    yield Finding(path, number, "command", f"{match.group(1)} does not exist")
            called = re.match(r"\s*(?:\$ )?(?:\S*/)?lockstep ([a-z]+)(.*)", line) if block else None
            if called:
                if called.group(1) not in names:
                    yield Finding(path, number, "command", f"lockstep has no command '{called.group(1)}'")
                for flag in re.findall(r"(?<!\S)--[a-z][\w-]*", called.group(2).split("#")[0]):
                    if flag not in flags:
                        yield Finding(path, number, "command", f"no command of lockstep has the flag {flag}")


def check(repository):
    yield from broken_links(repository)
    yield from unreached_pages(repository)
    yield from data_indexes(repository)
    yield from commands(repository)
