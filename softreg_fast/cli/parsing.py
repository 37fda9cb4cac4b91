"""A parser of arguments whose errors are one line; and arguments that several commands have."""

import argparse
from collections.abc import Callable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def __init__(self, **named: Any) -> None:
        named.setdefault("allow_abbrev", False)
        super().__init__(**named)

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        line = " ".join(message.split())
        if line.startswith("the following arguments are required"):
            usage = None if self.usage is None else f"usage: {self.usage % {'prog': self.prog}}"
            line += f"; {usage or f'see {self.prog} --help'}"
        self.exit(2, f"{self.prog}: error: {line}\n")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the file with the table, and how it is read."""
    parser.add_argument(
        "data",
        metavar="DATA",
        help="CSV or TSV (also .gz, .bz2, .xz, .zst, .lz4), Parquet, Arrow, Feather, NPY, NPZ or "
        "svmlight",
    )
    reading = parser.add_argument_group("reading text files")
    reading.add_argument(
        "--encoding", help="such as latin-1 or cp1252 (default: UTF-8, or UTF-16 with its mark)"
    )
    reading.add_argument(
        "--delimiter", metavar="CHARACTER", help="between columns (default: what the header has)"
    )
    reading.add_argument(
        "--decimal",
        metavar="CHARACTER",
        default=".",
        choices=[".", ","],
        help='"." or "," (default: ".")',
    )
    reading.add_argument(
        "--na",
        nargs="+",
        action="extend",
        default=[],
        metavar="TEXT",
        help="stands for a missing value, besides empty cells, NA, NaN, null, None and ?",
    )


def unrecognized(parser: argparse.ArgumentParser, arguments: list[str]) -> str:
    """What to say of arguments that a command doesn't have."""
    from difflib import get_close_matches

    # Without dashes, which all have in common.
    known = {
        option.lstrip("-"): option for action in parser._actions for option in action.option_strings
    }
    close = [
        known[match]
        for argument in arguments
        for match in get_close_matches(argument.partition("=")[0].lstrip("-"), known, 1)
    ]
    hint = f": did you mean {close[0]}?" if close else f"; see {parser.prog} --help"
    return f"unrecognized arguments: {' '.join(arguments)}{hint}"


def add_json(parser: Any) -> None:
    """Add the option that has standard output be one JSON document."""
    parser.add_argument("--json", action="store_true", help="print one JSON document, no text")


def add_columns(group: Any, option: str, help_text: str) -> None:
    """Add an option of names of columns, which may be given several times."""
    group.add_argument(
        option, nargs="+", action="extend", default=[], metavar="COLUMN", help=help_text
    )


def _number(
    kind: Callable[[str], Any], is_allowed: Callable[[Any], bool], allowed: str
) -> Callable[[str], Any]:
    """What reads an argument that must be some number."""

    def read(text: str) -> Any:
        try:
            number = kind(text)
            if is_allowed(number):
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} must be {allowed}")

    return read


positive_integer = _number(int, lambda number: number >= 1, "an integer of at least 1")
folds = _number(positive_integer, lambda number: number >= 2, "an integer of at least 2")
share = _number(float, lambda number: 0.0 <= number <= 0.9, "a number from 0 to 0.9, such as 0.1")
seed = _number(int, lambda number: 0 <= number < 2**32, "an integer from 0 to 4294967295")
_strength = _number(float, lambda number: number > 0.0, "a number above 0, inf or auto")


def strength(text: str) -> float | None:
    """A number above 0, inf, or None for "auto"."""
    return None if text == "auto" else _strength(text)
