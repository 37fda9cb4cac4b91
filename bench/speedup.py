"""How many times as fast as the notebook: ``python bench/speedup.py [--long]``.

The implementations take turns in one process; times are medians for one epoch with its accuracy,
input checks included. Every fit must reach the same losses.
"""

import argparse
import time

import numpy as np
from datasets import DATASETS
from implementations import IMPLEMENTATIONS, Kernels
from machine import describe


def measure(dataset, n_repeats):
    """Median seconds per epoch of each implementation, by name.

    Parameters
    ----------
    dataset : Dataset
    n_repeats : int

    Returns
    -------
    dict of str to float
    """
    features, labels = dataset.load()
    sides = {each.name: each() for each in IMPLEMENTATIONS}
    sides["kernels, 1 thread"] = Kernels(n_threads=1)
    seconds = {name: [] for name in sides}
    for repeat in range(n_repeats + 1):
        losses = {}
        for name, side in sides.items():
            started = time.perf_counter()
            losses[name] = side.fit(
                features, labels, dataset.learning_rate, dataset.n_epochs, dataset.batch_size
            )
            if repeat:  # the first is for warming up
                seconds[name].append((time.perf_counter() - started) / dataset.n_epochs)
        for found in losses.values():
            np.testing.assert_allclose(found, losses["notebook"], rtol=1e-9)
    return {name: float(np.median(times)) for name, times in seconds.items()}


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="the long sets too")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(describe())
    print(
        "\nmilliseconds per epoch (times as fast as the notebook's form); equal losses asserted\n"
    )
    print("| data | notebook | reference | kernels | kernels, 1 thread |")
    print("|---|---|---|---|---|")
    for dataset in DATASETS:
        if dataset.is_long and not options.long:
            continue
        seconds = measure(dataset, 3 if dataset.is_long else options.repeats)
        cells = [f"{1e3 * seconds['notebook']:.4g}"]
        for name in ("reference", "kernels", "kernels, 1 thread"):
            ratio = seconds["notebook"] / seconds[name]
            cells.append(f"{1e3 * seconds[name]:.4g} ({ratio:.3g}x)")
        print(f"| {dataset} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
