"""Timings of `SoftmaxRegressor` beside plain NumPy and the notebook's form.

Run `pytest bench --benchmark-only`; with `-m "not long"` in about a minute.
"""

from functools import cache

import numpy as np
import pytest

from bench.benchmarks.regressor import all_cases
from bench.sides.regressor import Kernels, Notebook, Reference

BATCH_EPOCHS = 100

CASES = [
    pytest.param(case, id=f"{case.name}-{place}", marks=[pytest.mark.long] * case.is_long)
    for place, case in enumerate(all_cases())
]
pytestmark = [
    pytest.mark.parametrize("kind", [Kernels, Reference, Notebook], ids=lambda each: each.__name__),
    pytest.mark.parametrize("case", CASES),
]


@cache
def _ready(kind, case, n_rows, n_epochs):
    side = kind()
    side.prepare(case)
    X, y = case.load()
    side.set_data(X[:n_rows], y[:n_rows], n_epochs)
    return side


@cache
def _expected(case, n_rows, n_epochs):
    oracle = _ready(Reference, case, n_rows, n_epochs)
    oracle.run()
    return oracle


def _time_fit(benchmark, kind, case, n_rows, n_epochs):
    side = _ready(kind, case, n_rows, n_epochs)
    benchmark.name = side.name
    benchmark.pedantic(side.run, rounds=3 if case.is_long else 5, warmup_rounds=1)
    check = side.check(_expected(case, n_rows, n_epochs))
    assert check.value <= check.bound


def test_fit(benchmark, kind, case):
    """Whole training; the table's times are of all epochs, `seconds_per_epoch` is in the JSON."""
    benchmark.group = f"fit, {case.n_epochs} epochs: {case}"
    _time_fit(benchmark, kind, case, None, case.n_epochs)
    if benchmark.stats:
        benchmark.extra_info["seconds_per_epoch"] = benchmark.stats["median"] / case.n_epochs


def test_one_batch(benchmark, kind, case):
    """The rows of one batch alone, again and again: everything is in the cache."""
    benchmark.group = f"fit, {BATCH_EPOCHS} epochs of one batch: {case}"
    _time_fit(benchmark, kind, case, case.batch_size, BATCH_EPOCHS)


def test_predict(benchmark, kind, case):
    """Probabilities of all rows."""
    side, oracle = _ready(kind, case, None, 1), _expected(case, None, 1)
    side.run()
    X, _ = case.load()
    benchmark.group = f"predict: {case}"
    benchmark.name = side.name
    probabilities = benchmark.pedantic(
        side.predict, (X,), rounds=3 if case.is_long else 20, warmup_rounds=1
    )
    np.testing.assert_allclose(probabilities, oracle.predict(X), rtol=1e-9)
