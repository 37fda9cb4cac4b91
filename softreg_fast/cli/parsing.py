"""A parser of arguments whose errors are one line; and arguments that several commands have."""

import argparse
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def __init__(self, **named: Any) -> None:
        named.setdefault("allow_abbrev", False)
        super().__init__(**named)

    def error(self, message: str) -> NoReturn:
        """Leave with status 2."""
        line = " ".join(message.split())
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

    known = [option for action in parser._actions for option in action.option_strings]
    close = [
        match
        for argument in arguments
        for match in get_close_matches(argument.partition("=")[0], known, 1)
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


def positive_integer(text: str) -> int:
    """An integer of at least 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer of at least 1")
    return number


def folds(text: str) -> int:
    """An integer of at least 2."""
    number = positive_integer(text)
    if number < 2:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer of at least 2")
    return number


def share(text: str) -> float:
    """A number from 0 to 0.9."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 0.9:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 0 to 0.9, such as 0.1")
    return number


def strength(text: str) -> float | None:
    """A number above 0, inf, or None for "auto"."""
    if text == "auto":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not number > 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number above 0, inf or auto")
    return number


def seed(text: str) -> int:
    """An integer from 0 to 2**32 - 1."""
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} must be an integer from 0 to 4294967295")
    return number
