"""How far a fit has come, on a line of standard error."""

import time
from collections.abc import Callable

from ..runtime.status_line import StatusLine, can_be_shown

# Nothing is shown of what takes less, and no more often.
_SECONDS_BEFORE = 1.0
_SECONDS_BETWEEN = 0.1
# Of the time, what drawing may take.
_SHARE_OF_DRAWING = 0.01
_BAR_WIDTH = 10


def _duration(seconds: float) -> str:
    """For example 7.5 s, 2:05 or 1:00:00."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _amount(number: float) -> str:
    """For example 950, 12.3k or 4.56M."""
    for power, unit in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.3g}{unit}"
    return f"{number:.3g}"


class Progress:
    """What is shown of a fit that takes longer than a second.

    Nothing is shown unless standard error is a terminal or a notebook; see `open_progress`.

    Parameters
    ----------
    title : str
    part : str
        What a part of it is called, for example "epoch".
    n_parts : int, default=None
        How many there will be at most; None if that says nothing.
    are_certain : bool, default=False
        Whether there will be as many.
    n_rows : int, default=None
        Rows that a part goes over once; None if it doesn't.
    """

    def __init__(
        self,
        title: str,
        part: str,
        n_parts: int | None = None,
        *,
        are_certain: bool = False,
        n_rows: int | None = None,
    ) -> None:
        self._title = title
        self._part = part
        self._n_parts = n_parts
        self._are_certain = are_certain
        self._n_rows = n_rows
        self._n_done = 0
        self._line = StatusLine()
        self._started = self._first_began = time.perf_counter()
        self._due = self._started + _SECONDS_BEFORE

    def begin(self) -> None:
        """Tell that a part begins."""
        if not self._n_done:
            self._first_began = time.perf_counter()

    def advance(self, describe: Callable[[], list[str]]) -> None:
        """Tell that a part is done.

        Parameters
        ----------
        describe : callable
            Gives what there is to say of it. Only called if it is shown.
        """
        self._n_done += 1
        now = time.perf_counter()
        if now >= self._due:
            self._draw(describe(), now)
            drawing = time.perf_counter() - now
            self._due = now + max(_SECONDS_BETWEEN, drawing / _SHARE_OF_DRAWING)

    def finish(self, values: list[str]) -> None:
        """Show how it has ended, if anything has been shown."""
        if self._line.is_shown:
            self._draw(values, time.perf_counter(), is_over=True)
            self._line.close()

    def close(self) -> None:
        """End the line."""
        self._line.close()

    def _draw(self, values: list[str], now: float, *, is_over: bool = False) -> None:
        elapsed, of_parts = now - self._started, now - self._first_began
        n_done, n_parts = self._n_done, self._n_parts
        if is_over:
            values = [_duration(elapsed), *values]
            head = f"{n_done} {self._part}{'' if n_done == 1 else 's'}"
        elif n_parts is None:
            values = [_duration(elapsed), *values]
            head = f"{self._part} {n_done}"
        else:
            filled = n_done * _BAR_WIDTH // n_parts
            bar = "#" * filled + "-" * (_BAR_WIDTH - filled)
            head = f"[{bar}] {self._part} {n_done}/{n_parts}"
            left = _duration(of_parts / n_done * (n_parts - n_done))
            values = [f"{'' if self._are_certain else '<'}{left} left", *values]
        if self._n_rows is not None:
            values.append(f"{_amount(self._n_rows * n_done / of_parts)} rows/s")
        text = f"{self._title}: {head}"
        for value in values:  # the last ones matter the least
            if len(text) + 2 + len(value) <= self._line.width:
                text += f", {value}"
        self._line.write(text)


def open_progress(
    verbose: int,
    title: str,
    part: str,
    n_parts: int | None = None,
    *,
    are_certain: bool = False,
    n_rows: int | None = None,
) -> Progress | None:
    """What shows a fit's progress; None if `verbose` isn't 1, or nobody would see it.

    Parameters
    ----------
    verbose : int
        0 shows nothing, and from 2 on there is a printed line for each part.
    title, part, n_parts, are_certain, n_rows
        See `Progress`.
    """
    if verbose != 1 or not can_be_shown():
        return None
    return Progress(title, part, n_parts, are_certain=are_certain, n_rows=n_rows)
