"""What commands print: results on standard output, all else on standard error."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from io import StringIO
from typing import Any

from .._extras import install_command
from .errors import UserError

_WIDTH = 120  # where no terminal has one


def need_extra(purpose: str, extra: str, *packages: str) -> None:
    """Raise UserError if a package of an extra isn't installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UserError(f"{purpose} needs {' and '.join(missing)}: {install_command(extra)}")


class Console:
    """Where a command prints.

    Parameters
    ----------
    is_json : bool
        Whether standard output is for one JSON document alone.

    Attributes
    ----------
    notes : list of str
        All that were given.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.notes: list[str] = []

    def say(self, text: str = "") -> None:
        """Print a line of the results."""
        if not self.is_json:
            self._print(text)

    def _print(self, text: str) -> None:
        """Print, unless whoever read standard output has gone: the work goes on then."""
        try:
            print(text, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def note(self, text: str) -> None:
        """Print what users should know."""
        self.notes.append(text)
        print(f"note: {text}", file=sys.stderr)

    def document(self, content: dict[str, Any]) -> None:
        """Print the JSON document, if it is wanted."""
        if self.is_json:
            text = json.dumps(content, indent=2, ensure_ascii=False)
            try:
                text.encode(sys.stdout.encoding or "ascii")
            except UnicodeEncodeError:
                text = json.dumps(content, indent=2)
            print(text)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """Print a table.

        Parameters
        ----------
        heads : sequence of str
        rows : sequence of sequences of str
        left : int, default=1
            How many columns are texts, the others numbers.
        """
        if self.is_json:
            return
        from rich.console import Console as RichConsole
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for place, head in enumerate(heads):
            is_text = place < left
            shown.add_column(
                Text(head), justify="left" if is_text else "right", overflow="fold",
                header_style="bold",
            )  # fmt: skip
        for row in rows:
            shown.add_row(*(Text(cell) for cell in row))
        if sys.stdout.isatty():
            RichConsole(highlight=False).print(shown)
            return
        buffer = StringIO()
        RichConsole(file=buffer, width=_WIDTH, highlight=False).print(shown)
        self._print("\n".join(line.rstrip() for line in buffer.getvalue().rstrip("\n").split("\n")))

    @contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Show what is being done, where standard error is a terminal."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console as RichConsole

        with RichConsole(stderr=True).status(text):
            yield


def name_of(label: Any) -> str:
    """A class as users know it."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def percent(share: float) -> str:
    """A share as users read it."""
    return f"{100.0 * share:.1f} %"


def name_some(names: Sequence[str], most: int = 8) -> str:
    """Names in quotes, not more than some."""
    shown = ", ".join(map(repr, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")
