"""What runs in the processes of a checkout."""

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
