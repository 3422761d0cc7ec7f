"""Who may include whom (the rooms of docs/architecture.md)."""
import re

from repository import CPP, Finding, room_of

ROOMS = {
    "core": {"core"},
    "sim": {"sim", "core"},
    "real": {"real", "core"},
    "study": {"study", "core"},
    "cli": {"cli", "core", "sim", "real", "study"},
}
PORTABLE = ("core", "sim", "study")
OPERATING_SYSTEM = re.compile(
    r"^(unistd|fcntl|pthread|sched|poll|signal|dlfcn|netdb|ifaddrs|spawn|termios|pwd|grp|dirent|syslog|windows|mach|semaphore|getopt)\.h$"
    r"|^(sys|net|netinet|arpa|linux|asm|mach|bits)/|^(csignal|thread|future|semaphore|latch|barrier|condition_variable)$|^boost/asio"
)
# Flows and bytes, not plans: the kinds and element types are all that these may know.
NO_PLANS = ("sim/network/", "real/transport/")
PLANS = ("core/plan/", "core/workload/", "core/collective/")
WITHOUT_A_PLAN = ("core/plan/types.hpp",)


def check(repository):
    for path in repository.having(*CPP):
        room = room_of(path)
        for number, name, quoted in repository.includes(path):

            def finding(message, path=path, number=number):
                return Finding(path, number, "include", message)

            if quoted and not repository.exists(name):
                yield finding(f'"{name}" does not exist; includes in quotes are paths from the root of the repository')
            if not quoted and name.split("/")[0] in ROOMS and repository.exists(name):
                yield finding(f"<{name}> is ours; write it in quotes")
            if "yaml-cpp" in name and not path.startswith("core/config/"):
                yield finding("YAML is read in core/config alone; use core/config/document.hpp and core/config/type.hpp")
            if room not in ROOMS:
                continue
            target = room_of(name) if quoted else ""
            if target and target not in ROOMS[room]:
                yield finding(f"{room}/ may include {', '.join(sorted(ROOMS[room]))}, not {target}/")
            if room in PORTABLE and not quoted and OPERATING_SYSTEM.match(name):
                yield finding(f"<{name}> belongs to an operating system or starts threads; {room}/ has to build anywhere: real/ or cli/ does that")
            if path.startswith(NO_PLANS) and name.startswith(PLANS) and name not in WITHOUT_A_PLAN:
                yield finding("network models and transports see flows and bytes; plans are for the executors")
