"""The timing loop of all benchmarks: sides take turns in one process."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Turns:
    """What a side has shown.

    Attributes
    ----------
    seconds : list of float
        Of each timed call.
    result : object
        Of the last call.
    """

    seconds: list = field(default_factory=list)
    result: Any = None

    @property
    def median(self):
        """Of the seconds; NaN without any."""
        return float(np.median(self.seconds)) if self.seconds else float("nan")


def timed(function):
    """Seconds and result of a call."""
    started = time.perf_counter()
    result = function()
    return time.perf_counter() - started, result


def _wait(seconds):
    """Wait without sleeping: a CPU that has slept is slow for some milliseconds."""
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        pass


def take_turns(runs, n_repeats, *, n_warm=1, pause=0.0, goes_on=lambda name, turns: True):
    """Call functions in turns.

    Parameters
    ----------
    runs : dict of str to callable
    n_repeats : int
        Timed calls of each.
    n_warm : int, default=1
        Calls of each that go before and are not timed.
    pause : float, default=0.0
        Seconds before each timed call, of which the CPU is kept busy: threads of a BLAS spin for a
        moment after a call.
    goes_on : callable, default=always
        Given a name and its `Turns`, whether it is called again.

    Returns
    -------
    dict of str to Turns
    """
    turns = {name: Turns() for name in runs}
    for repeat in range(-n_warm, n_repeats):
        for name, run in runs.items():
            if repeat > 0 and not goes_on(name, turns[name]):
                continue
            _wait(pause if repeat >= 0 else 0.0)
            seconds, turns[name].result = timed(run)
            if repeat >= 0:
                turns[name].seconds.append(seconds)
    return turns
