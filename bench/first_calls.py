"""First calls in a fresh process; each function runs in one."""

import time
import warnings

import numpy as np

KINDS = ["regressor", "classifier", "sgd"]


def measure_first_fit(kind):
    """Seconds of the import of the package and of its first fit, on iris.

    What every program that uses the package has loaded anyway is imported before.

    Parameters
    ----------
    kind : {"regressor", "classifier", "sgd"}

    Returns
    -------
    dict
        `import` and `fit` in seconds, their sum in `seconds`, and `outcome`: numbers that tell
        whether two checkouts did equal work.
    """
    import numba  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    from sklearn.datasets import load_iris

    warnings.simplefilter("ignore")
    X, y = load_iris(return_X_y=True)
    started = time.perf_counter()
    import softreg_fast

    imported = time.perf_counter()
    if kind == "regressor":
        model = softreg_fast.SoftmaxRegressor(0.1, random_state=0, verbose=False)
        model.fit(X, y, 2, 150)
        finished, outcome = time.perf_counter(), model.losses_
    else:
        solver = "sgd" if kind == "sgd" else "auto"
        model = softreg_fast.SoftmaxClassifier(solver=solver, random_state=0).fit(X, y)
        finished, outcome = time.perf_counter(), model.predict_proba(X).sum(axis=0)
    return {
        "import": imported - started,
        "fit": finished - imported,
        "seconds": finished - started,
        "outcome": np.asarray(outcome, np.float64).tolist(),
    }


def measure_trivial_kernel():
    """Seconds in which Numba compiles a trivial kernel, or loads it from its own cache."""
    import numba

    started = time.perf_counter()

    @numba.njit("f8(f8)", cache=True)
    def trivial(x):
        return x + 1

    trivial(1.0)
    return time.perf_counter() - started
