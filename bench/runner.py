"""Sides on a case: prepared, timed in turns, checked and kept."""

import numpy as np

from . import cases
from .options import contains
from .timing import take_turns


def prepare_sides(record, case, sides, options):
    """Prepare the sides that are asked for and run on a case; gives these."""
    ready = []
    for side in sides:
        if ready and not contains(side.name, getattr(options, "sides", [])):
            continue  # the first is what the others are checked against
        reason = side.reason_against(case)
        if reason:
            record.leave_out(side.name, reason)
            continue
        side.prepare(case)
        ready.append(side)
    return ready


def check_sides(record, name, sides):
    """Check that all sides did the work of the first."""
    for side in sides[1:]:
        check = side.check(sides[0])
        record.check(name, side.name, check.what, check.value, check.bound)


def measure_sides(record, case, sides, options, metric, n_units=1, pause=0.0, beside=None):
    """Time the sides of a case and check that they did equal work.

    Parameters
    ----------
    record : Record
    case : Case
    sides : list of Side
        The others are checked against the first.
    options : argparse.Namespace
        `repeats`, and texts in `sides` that names must contain.
    metric : str
        What a record calls the seconds of a unit.
    n_units : int, default=1
        Epochs or rows in a run.
    pause : float, default=0.0
        Seconds before each timed run.
    beside : dict of str to callable, default=None
        What takes turns with the sides, and is not one.

    Returns
    -------
    dict of str to float
        Median seconds of a unit, by side; of a call, of what is beside.
    """
    name = record.add_case(case)
    print(f"{name} ...", flush=True)
    ready = prepare_sides(record, case, sides, options)
    beside = beside or {}
    runs = {**{side.name: side.run for side in ready}, **beside}
    turns = take_turns(runs, options.repeats, pause=pause)
    medians = {
        side.name: record.add(name, side.name, metric, np.divide(turns[side.name].seconds, n_units))
        for side in ready
    }
    medians |= {each: turns[each].median for each in beside}
    check_sides(record, name, ready)
    cases.forget()
    return medians
