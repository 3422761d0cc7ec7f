"""Calls that we do not make, and what to use in their place."""
import re

from repository import CPP, Finding, room_of

LIBRARIES = ("core", "sim", "real", "study")
SHIPPED = (*LIBRARIES, "cli")
REPRODUCIBLE = ("core", "sim", "study")
NOT_A_MEMBER = r"(?<![\w.>])"  # 'x.exit(' and 'x->exit(' are somebody's members


def call(*names):
    return NOT_A_MEMBER + r"(?:std::|::)?(?:" + "|".join(names) + r")\s*\("


# rule, rooms, pattern, what to do instead, paths where it may stand
BANNED = [
    ("exit", LIBRARIES, call("exit", "quick_exit", "abort", "terminate"),
     "throw InputError or RunFailure; main() makes exit codes", ()),
    ("exit", ("core", "sim", "study", "cli"), call("_exit", "_Exit"),
     "only a forked child, in real/, ends with _exit", ()),
    ("print", LIBRARIES, call("printf", "fprintf", "puts", "fputs", "putchar", "perror") + r"|\bstd::c(?:out|err|log)\b|\bfmt::print(?:ln)?\s*\(",
     "libraries never print: return text or throw; cli/ prints", ()),
    ("random", SHIPPED, call("rand", "srand", "random", "drand48") + r"|\bstd::(?:default_random_engine|shuffle|sample)\b|\bstd::\w+_distribution\b",
     "results have to be equal everywhere: our generator and distributions, with a seed", ()),
    ("random", ("core", "sim", "study", "cli"), r"\brandom_device\b", "take the seed from the caller; random_device is for real/", ()),
    ("clock", ("core", "sim", "study", "cli"),
     r"\b(?:steady|system|high_resolution)_clock\b|" + call("time", "clock", "gettimeofday", "clock_gettime", "localtime", "gmtime"),
     "simulated time is Duration; wall clocks stand in real/ and in core/base/clock", ("core/base/clock.",)),
    ("number", SHIPPED, call("stod", "stof", "stold", "stoi", "stol", "stoul", "stoll", "stoull", "atoi", "atol", "atoll", "atof", "strtod", "strtof",
                             "strtol", "strtoul", "strtoll", "strtoull", "sscanf", "scanf"),
     "std::from_chars, or core/units/parse.hpp: no locale, and the rest of the text is looked at", ()),
    ("buffer", SHIPPED, call("sprintf", "vsprintf", "strcpy", "strcat", "gets", "strtok"), "fmt::format and std::string", ()),
    ("regex", SHIPPED, r"\bstd::regex\b", "std::regex recurses by the length of its input; parse by hand", ()),
    ("assert", SHIPPED, call("assert"), "LOCKSTEP_CHECK stays on in every build", ()),
    ("using", SHIPPED, r"\busing\s+namespace\s+std\s*;", "names of std are written out", ()),
    ("libm", ("sim", "core/collective", "core/plan", "core/units", "core/topology"),
     call("pow", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "cbrt", "hypot", "tgamma", "lgamma", "erf"),
     "differs in the last bit between libraries; simulated time knows sqrt and integers", ()),
]
BANNED = [(rule, rooms, re.compile(pattern), instead, excepted) for rule, rooms, pattern, instead, excepted in BANNED]


def in_rooms(path, rooms):
    return any(path.startswith(room + "/") for room in rooms)


def declared_unordered(code):
    """Names of variables and members declared as unordered containers."""
    for match in re.finditer(r"\bunordered_(?:multi)?(?:map|set)\s*<", code):
        depth, position = 1, match.end()
        while depth and position < len(code):
            depth += {"<": 1, ">": -1}.get(code[position], 0)
            position += 1
        name = re.match(r"[\s&]*(\w+)\s*[;={,)(]", code[position:])
        if name:
            yield name.group(1)


def unordered_loops(repository, path):
    code = repository.code(path)
    names = set(declared_unordered(code))
    header = re.sub(r"\.cpp$", ".hpp", path)
    if header != path and header in repository.paths:
        names |= set(declared_unordered(repository.code(header)))
    if not names:
        return
    pattern = re.compile(r"\bfor\s*\([^;()]*:\s*(?:this->)?(\w+)\s*\)|\b(\w+)(?:\.|->)c?begin\s*\(")
    for number, line in enumerate(code.splitlines(), 1):
        for match in pattern.finditer(line):
            name = match.group(1) or match.group(2)
            if name in names:
                yield Finding(path, number, "unordered",
                              f"'{name}' is unordered: its order differs between libraries; use std::map, a sorted vector, or say why it cannot matter")


def check(repository):
    for path in repository.having(*CPP):
        if room_of(path) not in SHIPPED:
            continue
        found = []
        for number, line in enumerate(repository.code(path).splitlines(), 1):
            for rule, rooms, pattern, instead, excepted in BANNED:
                if not in_rooms(path, rooms) or path.startswith(excepted):
                    continue
                match = pattern.search(line)
                if match:
                    found.append(Finding(path, number, rule, f"'{match.group().strip(' (')}': {instead}"))
        if room_of(path) != "real":
            found += unordered_loops(repository, path)
        for finding in found:
            if not repository.allowed(path, finding.line, finding.rule):
                yield finding
