"""The house rules as a test: the include rule, banned calls, tidiness, documents. Prints every finding; exit code 1 if any.

usage: check.py REPOSITORY [COMPILE_COMMANDS.json]
"""
import sys

import banned_calls
import documents
import include_rule
import tidiness
from repository import Repository


def findings(repository, compile_commands=None):
    found = set(include_rule.check(repository))
    found |= set(banned_calls.check(repository))
    found |= set(tidiness.check(repository, compile_commands))
    found |= set(documents.check(repository))
    return sorted(finding for finding in found if not repository.allowed(finding.path, finding.line, finding.rule))


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    repository = Repository(arguments[0])
    if not repository.having(".cpp"):
        print(f"error: no sources below {arguments[0]}", file=sys.stderr)
        return 2
    found = findings(repository, *arguments[1:])
    for finding in found:
        print(finding)
    print(f"house rules: {len(repository.paths)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
