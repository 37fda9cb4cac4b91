"""Timings of `SoftmaxClassifier` beside `LogisticRegression`: `pytest bench --benchmark-only`."""

from functools import cache

import pytest

from bench import cases
from bench.sides.fits import Ours, Sklearn, certified

SIDES = [Ours(), Ours("lbfgs"), Ours("sgd"), Sklearn("lbfgs", max_iter=1000)]

_certified = cache(certified)


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "digits"])
@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
def test_fit_of_classifier(benchmark, name, side):
    """Default parameters; all sides must be within a percent of the lowest objective."""
    case = cases.case(name)
    side.prepare(case)
    benchmark.group = f"classifier's fit: {name}"
    benchmark.name = side.name
    benchmark.pedantic(side.run, rounds=5, warmup_rounds=1)
    check = side.check(_certified(case))
    assert check.value <= check.bound
