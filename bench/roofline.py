"""Fractions of the machine's ceilings: ``python bench/roofline.py``.

Plain mini-batch descent with the identity activation, without an accuracy pass. A fraction is the
time that the binding ceiling allows over the time taken. Features are larger than most last-level
caches; ``--small`` is for a quick look.
"""

import argparse
import time

import numpy as np
from ceilings import measure_ceilings
from machine import describe

from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent

# Features, classes, batch size, dtype, threads.
CASES = [
    (784, 10, 1024, "float64", 2),
    (784, 10, 1024, "float32", 2),
    (784, 10, 128, "float64", 2),
    (784, 10, 128, "float32", 2),
    (54, 7, 1024, "float64", 1),
    (54, 7, 1024, "float32", 1),
    (54, 2, 1024, "float64", 1),
    (54, 2, 1024, "float32", 1),
    (784, 2, 1024, "float64", 1),
    (784, 2, 1024, "float32", 1),
]


def make_rows(n_samples, n_features, n_classes, dtype):
    """Normal features, made a block at a time, and labels."""
    random = np.random.default_rng(0)
    features = np.empty((n_samples, n_features), dtype)
    for start in range(0, n_samples, 10_000):
        block = features[start : start + 10_000]
        block[:] = random.standard_normal(block.shape)
    labels = random.integers(0, n_classes, n_samples)
    labels[-1] = n_classes - 1
    return features, labels


def seconds_per_row(problem, batch_size, n_columns, n_threads, n_repeats=5):
    """Median time of a row in an epoch, checks of input not included."""
    n_samples, n_features = problem.features.shape
    n_epochs = max(1, 3_000_000_000 // (n_samples * n_features * n_columns))
    settings = DescentSettings(1e-3, batch_size, n_epochs, 0, "exact", score=False)
    seconds = []
    for _ in range(n_repeats + 1):
        start = np.zeros((n_features, n_columns)), np.zeros(n_columns)
        descent = GradientDescent(problem, settings, *start, n_threads)
        started = time.perf_counter()
        descent.run(EpochLog(verbose=False))
        seconds.append((time.perf_counter() - started) / n_epochs / n_samples)
    return float(np.median(seconds[1:]))


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the rows")
    parser.add_argument("--bytes", type=float, default=1e9, help="of features (default: 1e9)")
    options = parser.parse_args()
    n_bytes = options.bytes / (10 if options.small else 1)
    print(describe())
    ceilings = {}
    for *_, dtype, n_threads in CASES:
        if (dtype, n_threads) not in ceilings:
            found = ceilings[dtype, n_threads] = measure_ceilings(dtype, n_threads)
            print(
                f"{dtype}, {n_threads} threads: {found.bytes_per_second / 1e9:.1f} GB/s, "
                f"{found.flops_per_second / 1e9:.0f} GFLOP/s, "
                f"{found.exponentials_per_second / 1e9:.2f} billion exponentials/s"
            )
    print("\n| features x classes, batches, dtype, threads | ns per row | bound by | fraction |")
    print("|---|---|---|---|")
    for n_features, n_classes, batch_size, dtype, n_threads in CASES:
        n_samples = int(n_bytes // (n_features * np.dtype(dtype).itemsize))
        problem = make_problem(
            *make_rows(n_samples, n_features, n_classes, dtype), "identity", np.dtype(dtype)
        )
        n_columns = 1 if n_classes == 2 else n_classes
        taken = seconds_per_row(problem, batch_size, n_columns, n_threads)
        allowed, binding = ceilings[dtype, n_threads].seconds_per_row(
            n_features, n_columns, n_columns
        )
        threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
        print(
            f"| {n_features} x {n_classes}, {batch_size:,}, {dtype}, {threads} "
            f"| {1e9 * taken:.1f} | {binding} | {allowed / taken:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
