"""What runs in the processes of a checkout; each function is called in a fresh one."""

import time
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


def measure_workloads(filters, n_repeats):
    """Time workloads.

    Parameters
    ----------
    filters : list of str
    n_repeats : int
        Timed calls of each workload, after one that is not timed.

    Returns
    -------
    dict
        By name: `seconds` of a unit and `outcome`, or `error`; under "package", the folder that
        was imported.
    """
    import softreg_fast

    warnings.simplefilter("ignore")
    found = {}
    for workload in chosen(filters):
        try:
            turns = take_turns({"": workload.prepare()}, n_repeats)[""]
            outcome = _numbers(workload.outcome(turns.result))
        except Exception:
            found[workload.name] = {"error": traceback.format_exc()}
            continue
        found[workload.name] = {
            "seconds": [each / workload.n_units for each in turns.seconds],
            # Enough to compare: blocks' sums, not all numbers of many rows.
            "outcome": [float(part.sum()) for part in np.array_split(outcome, 50) if part.size],
        }
    return {"package": softreg_fast.__file__, "workloads": found}


def measure_first_fit(kind):
    """Seconds of the import of the package and of its first fit, on iris.

    What every program that uses the package has loaded anyway is imported before.

    Parameters
    ----------
    kind : {"regressor", "classifier", "sgd"}
    """
    import numba  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    from sklearn.datasets import load_iris

    warnings.simplefilter("ignore")
    X, y = load_iris(return_X_y=True)
    started = time.perf_counter()
    import softreg_fast

    if kind == "regressor":
        model = softreg_fast.SoftmaxRegressor(0.1, random_state=0, verbose=False)
        model.fit(X, y, 2, 150)
        seconds, outcome = time.perf_counter() - started, model.losses_
    else:
        solver = "sgd" if kind == "sgd" else "auto"
        model = softreg_fast.SoftmaxClassifier(solver=solver, random_state=0).fit(X, y)
        seconds, outcome = time.perf_counter() - started, model.predict_proba(X).sum(axis=0)
    return {"seconds": seconds, "outcome": _numbers(outcome).tolist()}
