"""`./connector-master bench`: run the benchmarks and print what came of them."""

import argparse
import os
import platform
import sys

from benchmarks import door, hot_path, memory, pull, resolve

_SUITES = ("door", "memory", "hot-path", "pull", "resolve")


def main(arguments: list[str]) -> int:
    """Run the suites that are named; return 0 when nothing was lost or doubled, whatever the times."""
    full = door.Plan()
    parser = argparse.ArgumentParser(prog="connector-master bench", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(_SUITES)}, or all; door by default")
    parser.add_argument(
        "--quick", action="store_true", help="seconds instead of minutes: proves that it works, not more"
    )
    parser.add_argument("--rounds", type=int, default=full.rounds, help="rounds of the door suite")
    parser.add_argument("--seconds", type=float, default=full.seconds, help="seconds a server is loaded each time")
    chosen = parser.parse_args(arguments)
    suites = list(_SUITES) if "all" in chosen.suites else chosen.suites or ["door"]
    if unknown := [name for name in suites if name not in _SUITES]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(_SUITES)} and all")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.release()}")
    right = True
    for name in suites:
        print(f"\n{name}")
        if name == "door":
            plan = door.QUICK if chosen.quick else door.Plan(rounds=chosen.rounds, seconds=chosen.seconds)
            right = door.run(plan) and right
        elif name == "memory":
            right = (memory.run(300, 3_000) if chosen.quick else memory.run()) and right
        elif name == "pull":
            right = pull.run(pull.QUICK if chosen.quick else pull.Plan()) and right
        elif name == "resolve":
            right = resolve.run(resolve.QUICK if chosen.quick else resolve.Plan()) and right
        else:
            hot_path.run(quick=chosen.quick)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
