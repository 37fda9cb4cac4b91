"""Time per row of confident models: ``python bench/confident.py``.

Exponentials of very negative numbers are subnormal, and products with subnormal numbers may take a
hundred times as long as others. The kernels flush them to zero, so that the time per row must not
depend on how far apart the logits are.
"""

import argparse
import time

import numpy as np
from machine import describe

from softreg_fast.data.problem import make_problem
from softreg_fast.estimators.epoch_log import EpochLog
from softreg_fast.solvers.notebook_sgd import DescentSettings, GradientDescent

N_SAMPLES, N_CLASSES, N_EPOCHS = 20_000, 5, 3
DISTANCES = (1, 30, 60, 90, 110, 300, 700, 1000)


def nanoseconds_per_row(dtype, activation, gradient, distance):
    """Median time of a row where the logits of a row's classes are as far apart as said."""
    random = np.random.default_rng(0)
    features = np.eye(N_CLASSES, dtype=dtype)[random.integers(0, N_CLASSES, N_SAMPLES)]
    features += random.normal(0, 0.02, features.shape).astype(dtype)
    labels = random.integers(0, N_CLASSES, N_SAMPLES)
    problem = make_problem(features, labels, activation, np.dtype(dtype))
    settings = DescentSettings(1e-6, 1000, N_EPOCHS, 0, gradient)
    weights = distance * (np.eye(N_CLASSES) - 0.5)
    seconds = []
    for _ in range(6):
        descent = GradientDescent(problem, settings, weights, np.zeros(N_CLASSES), 1)
        started = time.perf_counter()
        descent.run(EpochLog(verbose=False))
        seconds.append((time.perf_counter() - started) / N_EPOCHS / N_SAMPLES)
    return 1e9 * float(np.median(seconds[1:]))


def main():
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(describe())
    print(f"\n| ns per row, logits apart by | {' | '.join(map(str, DISTANCES))} |")
    print("|---" * (len(DISTANCES) + 1) + "|")
    for dtype in ("float64", "float32"):
        for activation, gradient in (
            ("identity", "exact"), ("sigmoid", "exact"), ("sigmoid", "notebook")
        ):  # fmt: skip
            times = [nanoseconds_per_row(dtype, activation, gradient, each) for each in DISTANCES]
            cells = " | ".join(f"{each:.0f}" for each in times)
            print(
                f"| {dtype}, {activation} activation, {gradient} gradient | {cells} |", flush=True
            )


if __name__ == "__main__":
    main()
