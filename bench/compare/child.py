"""What runs in the processes of a checkout."""

import traceback
import warnings

import numpy as np

from ..timing import take_turns
from .workloads import all_workloads


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


def measure_workload(name, n_repeats):
    """Time a workload.

    Parameters
    ----------
    name : str
    n_repeats : int
        Timed calls, after one that is not timed.

    Returns
    -------
    dict
        `seconds` of a unit in each call, and `outcome`; or `error`.
    """
    warnings.simplefilter("ignore")
    workload = next(each for each in all_workloads() if each.name == name)
    try:
        turns = take_turns({name: workload.prepare()}, n_repeats)[name]
        outcome = _numbers(workload.outcome(turns.result))
    except Exception:
        return {"error": traceback.format_exc()}
    return {
        "seconds": [each / workload.n_units for each in turns.seconds],
        # Sums of parts are enough to compare many rows by.
        "outcome": [float(part.sum()) for part in np.array_split(outcome, 50) if part.size],
    }
