"""What threads gain, and what other orders of the rows cost: ``python bench/variants.py``.

Plain descent with the identity activation, without an accuracy pass. The variants of a case take
turns in one process and are compared with the first. Any number of threads must reach the same
bits, and Fortran order the same parameters; shuffled epochs train on as many rows.
"""

import argparse
import time

import numpy as np
from machine import describe
from roofline import make_rows

from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent

# Rows, features, classes, rows of a batch (0: all), dtype.
THREADS = [
    (500_000, 54, 7, 0, "float64"),
    (500_000, 54, 7, 0, "float32"),
    (60_000, 784, 10, 1024, "float64"),
    (60_000, 784, 10, 1024, "float32"),
]
ORDERS = [
    (10_000, 20, 5, 1024, "float32"),
    (1_000_000, 20, 5, 1024, "float32"),
    (1_000_000, 20, 5, 1024, "float64"),
    (500_000, 54, 7, 1024, "float64"),
    (500_000, 54, 7, 1024, "float32"),
    (200_000, 100, 10, 1024, "float64"),
    (60_000, 784, 10, 1024, "float64"),
    (60_000, 784, 10, 1024, "float32"),
]
ROWS_PER_MEASUREMENT = 2_000_000
RATE = 1e-3


def compare(variants, n_columns, batch_size, n_repeats):
    """Median nanoseconds per row of each variant, and the parameters that it reaches.

    Parameters
    ----------
    variants : list of (Problem, shuffle_seed, n_threads)
    n_columns, batch_size, n_repeats : int

    Returns
    -------
    times : list of float
    solutions : list of tuples of ndarrays
    """
    times = [[] for _ in variants]
    solutions = [None] * len(variants)
    for _ in range(n_repeats + 1):
        for place, (problem, seed, n_threads) in enumerate(variants):
            n_samples, n_features = problem.features.shape
            n_epochs = max(2, ROWS_PER_MEASUREMENT // n_samples)
            settings = DescentSettings(
                RATE, batch_size or n_samples, n_epochs, 0, "exact", score=False, shuffle_seed=seed
            )
            start = np.zeros((n_features, n_columns)), np.zeros(n_columns)
            descent = GradientDescent(problem, settings, *start, n_threads)
            started = time.perf_counter()
            descent.run(EpochLog(verbose=False))
            times[place].append((time.perf_counter() - started) / n_epochs / n_samples)
            solutions[place] = descent.solution
    return [1e9 * float(np.median(each[1:])) for each in times], solutions


def _as_problem(features, labels):
    return make_problem(features, labels, "identity", features.dtype)


def _name(case):
    n_samples, n_features, n_classes, batch_size, dtype = case
    batches = f"batches of {batch_size:,}" if batch_size else "full batch"
    return f"{n_samples:,} x {n_features} x {n_classes}, {batches}, {dtype}"


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(describe())
    print("\n| threads | 1, ns per row | 2, ns per row | times as fast |\n|---|---|---|---|")
    for case in THREADS:
        n_samples, n_features, n_classes, batch_size, dtype = case
        problem = _as_problem(*make_rows(n_samples, n_features, n_classes, dtype))
        variants = [(problem, None, 1), (problem, None, 2)]
        times, solutions = compare(variants, n_classes, batch_size, options.repeats)
        for one, two in zip(*solutions, strict=True):
            np.testing.assert_array_equal(one, two)
        print(
            f"| {_name(case)} | {times[0]:.1f} | {times[1]:.1f} | {times[0] / times[1]:.2f} |",
            flush=True,
        )
    print("\n| order, 1 thread | C, ns per row | Fortran | shuffled |\n|---|---|---|---|")
    for case in ORDERS:
        n_samples, n_features, n_classes, batch_size, dtype = case
        features, labels = make_rows(n_samples, n_features, n_classes, dtype)
        by_rows, by_columns = (
            _as_problem(np.asarray(features, order=order), labels) for order in "CF"
        )
        variants = [(by_rows, None, 1), (by_columns, None, 1), (by_rows, 0, 1)]
        times, solutions = compare(variants, n_classes, batch_size, options.repeats)
        tolerance = 1e-10 if dtype == "float64" else 1e-3
        for one, two in zip(*solutions[:2], strict=True):
            np.testing.assert_allclose(two, one, rtol=0, atol=tolerance * np.abs(one).max())
        cells = [f"{taken:.1f} ({taken / times[0]:.2f}x)" for taken in times[1:]]
        print(f"| {_name(case)} | {times[0]:.1f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
