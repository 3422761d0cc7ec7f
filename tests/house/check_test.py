"""The checker finds what it should, and only that: small repositories, each with one thing wrong."""
import json
import tempfile
import unittest
from pathlib import Path

from check import findings
from repository import Repository, blank_out

# A repository in which nothing is wrong.
CLEAN = {
    "README.md": "# Lockstep\n\n```sh\nscripts/go.sh\nlockstep check --tolerance 10%\n```\n[data](topologies/README.md)\n",
    "scripts/go.sh": "echo\n",
    "topologies/README.md": "| `star.yaml` | a star |\n",
    "topologies/star.yaml": "name: star\n",
    "core/a.hpp": "#pragma once\n#include <vector>\n",
    "core/a.cpp": '#include "core/a.hpp"\nint a() { return 1\'000; }  // exit(1), printf: words in a comment\n',
    "cli/check.cpp": '#include "core/a.hpp"\nconst char* name = "check";  const char* flag = "--tolerance";\n',
}


def found_in(changes, compiled=None):
    """Findings as text after the files in `changes` are put in place (None: taken away)."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**CLEAN, **changes}.items():
            if text is not None:
                target = Path(folder, path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        commands = None
        if compiled is not None:
            commands = Path(folder, "build", "compile_commands.json")
            commands.parent.mkdir()
            commands.write_text(json.dumps([{"file": str(Path(folder).resolve() / path)} for path in compiled]))
        return [str(finding) for finding in findings(Repository(folder), commands)]


class Checker(unittest.TestCase):
    def finds(self, changes, *expected, **more):
        found = found_in(changes, **more)
        self.assertEqual(len(found), len(expected), found)
        for actual, wanted in zip(found, expected):
            self.assertTrue(actual.startswith(wanted), f"{actual!r} does not begin with {wanted!r}")

    def test_clean(self):
        self.finds({})

    def test_include_rule(self):
        sim = "#pragma once\n"
        self.finds({"sim/b.hpp": sim, "core/a.cpp": '#include "core/a.hpp"\n\n#include "sim/b.hpp"\n'},
                   "core/a.cpp:3: core/ may include core, not sim/ [include]")
        self.finds({"sim/b.hpp": sim, "real/c.cpp": '#include "sim/b.hpp"\n'}, "real/c.cpp:1: real/ may include core, real, not sim/")
        self.finds({"real/b.hpp": sim, "sim/c.cpp": '#include "real/b.hpp"\n'}, "sim/c.cpp:1: sim/ may include core, sim, not real/")
        self.finds({"sim/b.hpp": sim, "study/c.cpp": '#include "sim/b.hpp"\n'}, "study/c.cpp:1: study/ may include core, study, not sim/")
        self.finds({"sim/b.hpp": sim, "cli/c.cpp": '#include "sim/b.hpp"\n'})
        self.finds({"core/a.cpp": '#include "core/a.hpp"\n#include "core/gone.hpp"\n'}, 'core/a.cpp:2: "core/gone.hpp" does not exist')
        self.finds({"core/a.cpp": '#include "core/a.hpp"\n#include <core/a.hpp>\n'}, "core/a.cpp:2: <core/a.hpp> is ours")

    def test_operating_system(self):
        for name in ("unistd.h", "sys/socket.h", "linux/tcp.h", "thread", "boost/asio.hpp"):
            self.finds({"study/c.cpp": f"#include <{name}>\n"}, f"study/c.cpp:1: <{name}> belongs to an operating system")
            self.finds({"real/c.cpp": f"#include <{name}>\n"})

    def test_yaml(self):
        self.finds({"core/c.cpp": "#include <yaml-cpp/yaml.h>\n"}, "core/c.cpp:1: YAML is read in core/config alone")
        self.finds({"core/config/c.cpp": "#include <yaml-cpp/yaml.h>\n"})

    def test_networks_know_no_plans(self):
        plan = {"core/plan/plan.hpp": "#pragma once\n", "core/plan/types.hpp": "#pragma once\n"}
        both = '#include "core/plan/types.hpp"\n#include "core/plan/plan.hpp"\n'
        self.finds({**plan, "sim/network/c.cpp": both}, "sim/network/c.cpp:2: network models and transports see flows")
        self.finds({**plan, "real/transport/c.cpp": both}, "real/transport/c.cpp:2: network models and transports see flows")
        self.finds({**plan, "sim/c.cpp": both})

    def test_banned_calls(self):
        for call, rule in {
            "std::exit(1)": "exit", "abort()": "exit", "::_exit(0)": "exit", 'printf("x")': "print", "std::cout << 1": "print",
            'fmt::print("x")': "print", "rand()": "random", "std::random_device r": "random", "std::normal_distribution<double> d": "random",
            "std::chrono::steady_clock::now()": "clock", "time(nullptr)": "clock", "std::stod(s)": "number", "atoi(s)": "number",
            "sprintf(b, s)": "buffer", "std::regex r": "regex", "assert(x)": "assert", "using namespace std": "using",
        }.items():
            found = found_in({"core/c.cpp": f"void f() {{\n  {call};\n}}\n"})
            self.assertEqual([line.split(":")[:2] + [line.split("[")[-1]] for line in found], [["core/c.cpp", "2", rule + "]"]], (call, found))

    def test_calls_that_are_fine(self):
        self.finds({"core/c.cpp": "void f() { app.exit(1); p->printf(2); snprintf(b); exit_code(3); run_time(4); x.time(5); }\n"})
        self.finds({"core/c.cpp": "using namespace std::chrono_literals;\n"})
        self.finds({"real/c.cpp": "void f() { ::_exit(std::chrono::steady_clock::now()); std::random_device r; }\n"})
        self.finds({"cli/c.cpp": 'void f() { fmt::print("x"); }\n'})
        self.finds({"core/base/clock.cpp": "auto f() { return std::chrono::steady_clock::now(); }\n"})
        self.finds({"core/c.cpp": 'auto s = "abort() in a text"; auto r = R"(exit(1))"; /* rand() */ char c = \'"\'; auto t = "rand()";\n'})

    def test_libm(self):
        self.finds({"sim/c.cpp": "auto x = std::pow(2, y);\n"}, "sim/c.cpp:1: 'std::pow': differs in the last bit")
        self.finds({"sim/c.cpp": "auto x = std::sqrt(y);\n"})
        self.finds({"study/c.cpp": "auto x = std::pow(2, y);\n"})

    def test_unordered(self):
        declaration = "std::unordered_map<int, std::vector<int>> seen;\n"
        loop = "for (const auto& x : seen) use(x);\n"
        self.finds({"core/c.cpp": declaration + loop}, "core/c.cpp:2: 'seen' is unordered")
        self.finds({"core/c.cpp": declaration + "auto i = seen.begin();\n"}, "core/c.cpp:2: 'seen' is unordered")
        self.finds({"core/a.hpp": "#pragma once\n" + declaration, "core/a.cpp": '#include "core/a.hpp"\n' + loop}, "core/a.cpp:2: 'seen'")
        self.finds({"core/c.cpp": declaration + "for (const auto& x : sorted) seen.find(x);\n"})

    def test_exceptions_need_a_reason(self):
        loop = "std::unordered_set<int> seen;\n// house: allow({}) {}\nfor (int x : seen) sum += x;\n"
        self.finds({"core/c.cpp": loop.format("unordered", "a sum has no order")})
        self.finds({"core/c.cpp": loop.format("unordered", "")}, "core/c.cpp:3: 'seen' is unordered")
        self.finds({"core/c.cpp": loop.format("clock", "another rule")}, "core/c.cpp:3: 'seen' is unordered")

    def test_length(self):
        long = "int " + "x" * 120 + ";\n"
        self.finds({"core/c.cpp": long}, "core/c.cpp:1: 125 columns")
        self.finds({"core/c.cpp": "// clang-format off\n" + long + "// clang-format on\n" + long}, "core/c.cpp:4: 125 columns")
        self.finds({"core/c.cpp": 'auto s = R"(\n' + long + ')";\n' + long}, "core/c.cpp:4: 125 columns")
        self.finds({"core/c.cpp": 'expect("' + "x" * 120 + '");\n'})
        self.finds({"scripts/go.sh": "# " + "x" * 140 + "\n"})
        self.finds({"scripts/go.sh": "# " + "x" * 150 + "\n"}, "scripts/go.sh:1: 152 columns; 150 is the limit")

    def test_leftovers(self):
        word = "TO" + "DO"
        self.finds({"core/c.cpp": f"int x;  // {word} later\n"}, f"core/c.cpp:1: '{word}': finish it")

    def test_headers(self):
        self.finds({"core/b.hpp": "#pragma once\n"}, "core/b.hpp:1: nothing includes this header [reach]")
        self.finds({"core/a.hpp": "int a();\n"}, "core/a.hpp:1: a header begins with #pragma once")

    def test_sources(self):
        self.finds({"cli/folder/b.cpp": "int b;\n"}, "cli/folder/b.cpp:1: no build compiles this source")
        self.finds({"tests/core/deep/b.cpp": "int b;\n", "tests/core/c_test.cpp": "int c;\n"}, "tests/core/deep/b.cpp:1: no build compiles")
        self.finds({}, "cli/check.cpp:1: no build compiles", compiled=["core/a.cpp"])
        self.finds({}, compiled=["core/a.cpp", "cli/check.cpp"])
        self.finds({"core/b.cpp": "// a room\n"}, "core/b.cpp:1: nothing in it")

    def test_scripts(self):
        self.finds({"scripts/alone.sh": "echo\n"}, "scripts/alone.sh:1: neither a script nor a page mentions it")

    def test_links(self):
        page = CLEAN["README.md"]
        self.finds({"README.md": page + "[a](docs/gone.md)\n"}, "README.md:8: docs/gone.md does not exist [link]")
        self.finds({"README.md": page + "[a](topologies/README.md#no)\n"}, "README.md:8: topologies/README.md has no heading '#no'")
        self.finds({"README.md": page + "[a](#lockstep) [b](https://example.org/x) `[c](d)`\n"})
        self.finds({"docs/alone.md": "# Alone\n"}, "docs/alone.md:1: no chain of links")

    def test_data(self):
        self.finds({"topologies/ring.yaml": "name: ring\n"}, "topologies/ring.yaml:1: topologies/README.md does not list it [index]")
        self.finds({"topologies/star.yaml": "name: sun\n"}, "topologies/star.yaml:1: its 'name:' is sun")
        self.finds({"topologies/README.md": "`star.yaml` `gone.yaml`\n"}, "topologies/README.md:1: lists gone.yaml, which does not exist")
        self.finds({"workloads/w.yaml": "name: w\n"}, "workloads/w.yaml:1: workloads/README.md does not list it")

    def test_commands(self):
        page = CLEAN["README.md"]
        self.finds({"README.md": page + "Run `scripts/gone.sh`.\n"}, "README.md:8: scripts/gone.sh does not exist [command]")
        self.finds({"README.md": page + "```sh\nlockstep chekc\n```\n"}, "README.md:9: lockstep has no command 'chekc'")
        self.finds({"README.md": page + "```sh\nbuild/lockstep check --tolerence 1%\n```\n"}, "README.md:9: no command of lockstep has the flag")

    def test_blank_out_keeps_lines(self):
        text = 'a /* x\ny */ "s\\"t" // z\n\'"\' R"m(1\n2)m" b 1\'000 end\n'
        blanked = blank_out(text)
        self.assertEqual([len(line) for line in blanked.splitlines()], [len(line) for line in text.splitlines()])
        self.assertEqual(blanked.split(), ["a", "b", "1'000", "end"])


if __name__ == "__main__":
    unittest.main()
