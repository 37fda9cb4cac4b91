"""What runs in the processes of a checkout."""

import time
import traceback
import warnings

import numpy as np

from ..timing import timed
from .workloads import all_workloads

# Seconds before a timed call: threads of the other side's BLAS spin for 0.1 s after a call.
PAUSE = 0.15


def chosen(filters):
    """Workloads whose names contain one of some texts; all without texts."""
    return [
        each
        for each in all_workloads()
        if not filters or any(text in each.name for text in filters)
    ]


def _numbers(outcome):
    return np.asarray(outcome, np.float64).ravel()


def package_folder():
    """Where the package was imported from."""
    import softreg_fast

    return softreg_fast.__file__


def _call(function, *arguments):
    """What a function gives as `result`, or what it fails with as `error`."""
    try:
        return {"result": function(*arguments)}
    # Whatever a checkout of any age fails with is told by case; the other cases go on.
    except Exception:
        return {"error": traceback.format_exc()}


class _Prepared:
    """A workload and the function of it that is timed."""

    def __init__(self, name):
        self._workload = next(each for each in all_workloads() if each.name == name)
        self._run = self._workload.prepare()
        self._result = None

    def run(self):
        seconds, self._result = timed(self._run)
        return seconds / self._workload.n_units

    def outcome(self):
        outcome = _numbers(self._workload.outcome(self._result))
        # Sums of parts are enough to compare many rows by.
        return [float(part.sum()) for part in np.array_split(outcome, 50) if part.size]


_prepared: dict[str, _Prepared] = {}


def _prepare(name):
    _prepared.clear()
    _prepared[name] = _Prepared(name)
    return _prepared[name].run()


def prepare_workload(name):
    """Prepare a workload, in the place of the last one, and run it once.

    Parameters
    ----------
    name : str

    Returns
    -------
    dict
        Seconds of a unit as `result`; or `error`. So do the other functions.
    """
    warnings.simplefilter("ignore")
    return _call(_prepare, name)


def run_workload(name):
    """Run a prepared workload again; gives the seconds of a unit."""
    time.sleep(PAUSE)
    return _call(_prepared[name].run)


def outcome_of_workload(name):
    """The numbers that the last run of a prepared workload has led to."""
    return _call(_prepared[name].outcome)
