"""Which exact solver is the faster, and what `solver="auto"` takes: ``python bench/choices.py``.

Fits synthetic sets of many shapes with "newton" and "lbfgs" to the same bound of the gap. The last
columns are the products of taking second derivatives once over those of a pass over the rows, by
which `softreg_fast.estimators.parameters` chooses, and what it does choose.
"""

import argparse
import time
import warnings

import numpy as np
from machine import describe
from optimum import rows

from softreg_fast import SoftmaxClassifier
from softreg_fast.solvers.newton.solver import relative_cost

SHAPES = [
    (300, 1_000, 3),
    (1_000, 1_000, 3),
    (200, 2_000, 2),
    (2_000, 2_000, 2),
    (20_000, 2_000, 2),
    (2_000, 1_500, 4),
    (5_000, 1_000, 5),
    (50_000, 1_000, 5),
    (500, 300, 20),
    (5_000, 300, 20),
    (5_000, 784, 10),
    (20_000, 784, 10),
    (20_000, 500, 10),
    (10_000, 100, 100),
    (50_000, 30, 30),
    (200_000, 54, 7),
]


def measure(X, y, solver, gap, n_repeats, C):
    """Median seconds."""
    seconds = []
    for _ in range(n_repeats):
        started = time.perf_counter()
        model = SoftmaxClassifier(C=C, solver=solver, gap_tol=gap, max_iter=10_000).fit(X, y)
        seconds.append(time.perf_counter() - started)
    assert model.gap_ <= gap
    return float(np.median(seconds))


def main():
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--gap", type=float, default=1e-4)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(describe())
    print(f"{'':<24}{'newton':>10}{'lbfgs':>10}{'ratio':>8}{'cost':>10}  auto")
    for shape in SHAPES:
        X, y = rows(*shape, seed=0, spread=1.0 / np.sqrt(shape[1]))
        times = {}
        for solver in ("newton", "lbfgs"):
            measure(X[:100], y[:100], solver, 1e-1, 1, 1.0)  # compiling
            times[solver] = measure(X, y, solver, arguments.gap, arguments.repeats, arguments.C)
        n_classes = len(np.unique(y))
        n_columns = 1 if n_classes == 2 else n_classes
        parameters = SoftmaxClassifier()._check_parameters()
        chosen = parameters.choose_exact_solver(X.size, X.shape[1], n_columns)
        name = f"{shape[0]:,} x {shape[1]:,} x {n_classes}"
        print(
            f"{name:<24}{times['newton']:>10.4f}{times['lbfgs']:>10.4f}"
            f"{times['lbfgs'] / times['newton']:>8.2f}{relative_cost(*X.shape):>10.0f}"
            f"  {chosen}",
            flush=True,
        )


if __name__ == "__main__":
    main()
