"""A plugin of pytest that runs scikit-learn's own tests with the classes of this package.

It writes down the outcome of each test, and which fits were left to scikit-learn.
"""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np

from softreg_fast.sklearn import patch_sklearn, path

patch_sklearn()

_outcomes: dict[str, str] = {}
_fits: Counter[str] = Counter()
_fit_by_scikit_learn, _follow = path.fit_by_scikit_learn, path._follow


def _count_left(X, y, arguments):
    solver, max_iter = arguments["solver"], arguments["max_iter"]
    if solver == "liblinear":
        _fits["left: liblinear"] += 1
    elif max_iter == 0:
        _fits["left: max_iter=0"] += 1
    elif not isinstance(X, np.ndarray) and not hasattr(X, "tocsr"):
        _fits["left: array of another library"] += 1
    elif arguments.get("multi_class") == "multinomial" and len(np.unique(y)) == 2:
        _fits["left: two columns for two classes"] += 1
    else:
        _fits[f"left: {solver}"] += 1
    return _fit_by_scikit_learn(X, y, arguments)


def _count_own(given):
    for found in _follow(given):
        _fits["own"] += 1
        yield found


path.fit_by_scikit_learn, path._follow = _count_left, _count_own


def pytest_runtest_logreport(report):
    """Remember how a test has ended: the worst of its phases."""
    name = report.nodeid.rpartition("/")[2]
    if report.when == "call" or report.outcome != "passed":
        _outcomes[name] = report.outcome


def pytest_sessionfinish():
    """Write it down."""
    found = {"outcomes": _outcomes, "fits": _fits}
    Path(os.environ["PATCHED_SKLEARN_REPORT"]).write_text(json.dumps(found), encoding="utf-8")
