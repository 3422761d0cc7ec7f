"""The repository as the house rules see it: its files, their text, C++ without comments and literals, findings."""
import os
import re
from dataclasses import dataclass
from pathlib import Path

SKIPPED_FOLDERS = re.compile(r"^(\.git|\.cache|build|build-.*|__pycache__|node_modules)$")
CPP = (".cpp", ".hpp")


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message} [{self.rule}]"


def blank_out(text: str) -> str:
    """C++ source with comments, strings and character literals replaced by blanks, line breaks kept."""
    pattern = re.compile(
        r"""//(?:\\\n|[^\n])*                                   # line comment
          | /\*.*?\*/                                           # block comment
          | (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"  # raw string
          | "(?:\\.|[^"\\\n])*"                                 # string
          | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'                 # character, not a digit separator
        """,
        re.VERBOSE | re.DOTALL,
    )

    def blanks(match):
        # An include names its file in a string: that one stays.
        before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        if re.match(r"\s*#\s*include\s*$", before):
            return match.group()
        return re.sub(r"[^\n]", " ", match.group())

    return pattern.sub(blanks, text)


class Repository:
    def __init__(self, root):
        self.root = Path(root)
        self.paths = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not SKIPPED_FOLDERS.match(name))
            self.paths += [os.path.relpath(os.path.join(folder, name), self.root) for name in sorted(names)]
        self._text = {}
        self._code = {}

    def exists(self, path) -> bool:
        return (self.root / path).exists()

    def having(self, *suffixes, under=""):
        return [path for path in self.paths if path.endswith(suffixes) and path.startswith(under)]

    def text(self, path) -> str:
        if path not in self._text:
            try:
                self._text[path] = (self.root / path).read_text(encoding="utf-8")
            except (FileNotFoundError, UnicodeDecodeError):
                self._text[path] = ""  # an index that is missing, or a binary file, has no lines to speak of
        return self._text[path]

    def code(self, path) -> str:
        if path not in self._code:
            self._code[path] = blank_out(self.text(path))
        return self._code[path]

    def includes(self, path):
        """(line number, name, quoted or not) of every include."""
        for number, line in enumerate(self.code(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            if match:
                yield number, match.group(2), match.group(1) == '"'

    def allowed(self, path, number, rule) -> bool:
        """An exception stands in the line or the one above: // house: allow(RULE) why."""
        lines = self.text(path).splitlines()
        marks = lines[max(0, number - 2) : number]
        return any(re.search(rf"house: allow\({re.escape(rule)}\) \w+", mark) for mark in marks)


def room_of(path) -> str:
    return path.split("/", 1)[0] if "/" in path else ""
