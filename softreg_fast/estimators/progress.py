"""How far a fit has come, on a line of standard error."""

import threading
import time
from collections.abc import Callable

from ..runtime.status_line import StatusLine, can_be_shown

# Nothing is shown of what takes less, and no more often.
_SECONDS_BEFORE = 1.0
_SECONDS_BETWEEN = 0.1
# Within a part that takes long, of which there is nothing new to say.
_SECONDS_BETWEEN_BEATS = 1.0
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
        self._values: list[str] = []
        self._line = StatusLine()
        self._started = self._first_began = self._last_ended = time.perf_counter()
        self._due = self._started + _SECONDS_BEFORE
        self._beat_due = self._started + max(_SECONDS_BEFORE, _SECONDS_BETWEEN_BEATS)
        self._drawing = threading.Lock()

    def begin(self) -> None:
        """Tell that a part begins."""
        if not self._n_done:
            self._first_began = time.perf_counter()

    def advance(self, describe: Callable[[], list[str]], n_parts: int = 1) -> None:
        """Tell that a part, or several, are done.

        Parameters
        ----------
        describe : callable
            Gives what there is to say of it. Only called if it is shown.
        n_parts : int, default=1
        """
        self._n_done += n_parts
        now = self._last_ended = time.perf_counter()
        if now >= self._due:
            self._values = describe()
            self._draw_alone(now)
            drawing = time.perf_counter() - now
            self._due = now + max(_SECONDS_BETWEEN, drawing / _SHARE_OF_DRAWING)

    def beat(self) -> None:
        """Tell that a part goes on; in any thread."""
        now = time.perf_counter()
        if now >= self._beat_due:
            self._draw_alone(now)

    def finish(self, values: list[str]) -> None:
        """Show how it has ended, if anything has been shown."""
        if self._line.is_shown:
            now = time.perf_counter()
            self._show(
                f"{self._n_done} {self._part}{'' if self._n_done == 1 else 's'}",
                [_duration(now - self._started), *values, *self._rate()],
            )
            self._line.close()

    def close(self) -> None:
        """End the line."""
        self._line.close()

    def _draw_alone(self, now: float) -> None:
        """Draw, unless another thread does."""
        if self._drawing.acquire(blocking=False):
            try:
                self._draw(now)
            finally:
                self._drawing.release()

    def _draw(self, now: float) -> None:
        self._beat_due = now + _SECONDS_BETWEEN_BEATS
        n_done, n_parts = self._n_done, self._n_parts
        head = f"{self._part} {n_done}"
        elapsed = _duration(now - self._started)
        if n_parts is not None:
            filled = n_done * _BAR_WIDTH // n_parts
            head = f"[{'#' * filled}{'-' * (_BAR_WIDTH - filled)}] {head}/{n_parts}"
            if n_done:
                whole = (self._last_ended - self._first_began) / n_done * n_parts
                left = max(0.0, whole - (now - self._first_began))
                elapsed = f"{'' if self._are_certain else '<'}{_duration(left)} left"
        self._show(head, [elapsed, *self._values, *self._rate()])

    def _rate(self) -> list[str]:
        """Rows a second, if that says something."""
        elapsed = self._last_ended - self._first_began
        if self._n_rows is None or elapsed <= 0.0:
            return []
        return [f"{_amount(self._n_rows * self._n_done / elapsed)} rows/s"]

    def _show(self, head: str, values: list[str]) -> None:
        text, width = f"{self._title}: {head}", self._line.width
        for value in values:  # the last ones matter the least
            if len(text) + 2 + len(value) <= width:
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
