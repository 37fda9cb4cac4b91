"""``softreg-fast doctor``."""

import argparse

from ..parsing import add_json

NAME = "doctor"
HELP = "look for what is wrong with this installation"
_DESCRIPTION = """
Say what softreg-fast runs on: versions, CPU, threads, where compiled code is kept, and which extras
are there; and fit a tiny model. The status is 1 if something is wrong.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = _DESCRIPTION
    add_json(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    import json

    from ..diagnosis import BAD, examine

    found = examine()
    is_well = all(each.state != BAD for each in found)
    if options.json:
        checks = [
            {"name": each.name, "state": each.state, "text": each.text, "remedy": each.remedy}
            for each in found
        ]
        print(json.dumps({"is_well": is_well, "checks": checks}, indent=2))
        return 0 if is_well else 1
    width = max(len(each.name) for each in found)
    for each in found:
        print(f"{each.state:<5} {each.name:<{width}}  {each.text}")
        if each.remedy:
            print(f"{'':<5} {'':<{width}}  {each.remedy}")
    print("all is well" if is_well else "something is wrong: see what is marked bad")
    return 0 if is_well else 1
