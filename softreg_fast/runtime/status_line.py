"""A line of standard error that is written anew, and messages that don't end up within it."""

import multiprocessing
import os
import sys
from contextlib import suppress
from typing import Any

_WIDTH_IF_UNKNOWN = 80
# Terminals that can't go back to the start of a line.
_SIMPLE_TERMINALS = ("dumb", "unknown")

# The line that is shown now, under one key: `setdefault` and `pop` come between no two threads.
_shown: dict[str, "StatusLine"] = {}

if hasattr(os, "register_at_fork"):
    # A child has no thread that would end the line.
    os.register_at_fork(after_in_child=_shown.clear)


def _can_be_rewritten(stream: Any) -> bool:
    """Whether a stream shows what it is given at once, and goes back at a carriage return."""
    if type(stream).__module__.partition(".")[0] == "ipykernel":  # Jupyter
        return True
    with suppress(Exception):  # of a stream that is closed, or is something else
        return bool(stream.isatty()) and os.environ.get("TERM") not in _SIMPLE_TERMINALS
    return False


def can_be_shown() -> bool:
    """Whether standard error is a terminal or a notebook, and this process no worker of another.

    Workers share their terminal.
    """
    return _can_be_rewritten(sys.stderr) and multiprocessing.parent_process() is None


class StatusLine:
    """A line of standard error that is written anew. No error of the stream reaches the caller.

    Of several lines at the same time, in threads, the first one is shown alone.
    """

    def __init__(self) -> None:
        self._stream: Any = sys.stderr
        self._text = ""

    @property
    def is_shown(self) -> bool:
        """Whether something has been written, and it hasn't been closed."""
        return _shown.get("line") is self

    @property
    def width(self) -> int:
        """Characters that there is room for."""
        with suppress(Exception):
            return (os.get_terminal_size(self._stream.fileno()).columns or _WIDTH_IF_UNKNOWN) - 1
        return _WIDTH_IF_UNKNOWN - 1

    def write(self, text: str) -> None:
        """Show a text in the place of the last one."""
        if _shown.setdefault("line", self) is not self:
            return
        text = text[: self.width]
        before, self._text = len(self._text), text
        self._put(f"\r{text:<{before}}")

    def close(self) -> None:
        """End the line, if there is one."""
        if self.is_shown:
            try:
                self._put("\n")
            finally:
                _shown.pop("line", None)

    def clear(self) -> None:
        """Take away what is shown, until something is written again."""
        before, self._text = len(self._text), ""
        self._put(f"\r{'':<{before}}\r")

    def _put(self, characters: str) -> None:
        with suppress(Exception):
            self._stream.write(characters)
            self._stream.flush()


def write_message(text: str) -> None:
    """Write a line to standard error, if there is one."""
    line = _shown.get("line")
    if line is not None:
        line.clear()
    with suppress(Exception):
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
