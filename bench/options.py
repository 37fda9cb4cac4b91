"""Options that most benchmarks share."""

import argparse

from . import instructions


def add_common(parser, *, repeats=5, sides=True):
    """Add which cases and sides are run, how often, and where the record is written to."""
    parser.add_argument("--cases", nargs="+", default=[], help="texts that names of cases contain")
    if sides:
        parser.add_argument("--sides", nargs="+", default=[], help="texts that names contain")
    parser.add_argument("--repeats", type=int, default=repeats, help="timed calls of each side")
    parser.add_argument("--quick", action="store_true", help="the smallest case alone")
    parser.add_argument("--json", help="a file to write the record to")
    instructions.add_option(parser)


def add_patience(parser):
    """Add how long a solver may take that has not got where it should."""
    parser.add_argument(
        "--patience", type=float, default=60.0,
        help="seconds; a solver is given up after a longer fit that has not got there",
    )  # fmt: skip


def select(items, options, key=str):
    """Cases that are asked for: those whose names contain a text; the first one if quick."""
    items = [item for item in items if contains(key(item), options.cases)]
    return items[:1] if options.quick else items


def contains(name, texts):
    """Whether a name contains one of some texts; without texts, true."""
    return not texts or any(text in name for text in texts)


def parser_for(name, module):
    """The command line of a benchmark."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench {name}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    return parser
