"""What leaving the compiled code every 0.1 s costs and gives: ``python bench/responsiveness.py``.

Cost: time of a fit in calls of 0.1 s over that in one call, taking turns, equal bits asserted.
Gain: seconds from Ctrl-C to the exception.
"""

import argparse
import os
import signal
import threading
import time
from unittest import mock

import numpy as np
from datasets import iris, synthetic
from machine import describe

from softreg_fast import SoftmaxRegressor

SETS = [("iris", iris, 150), ("iris", iris, 16), ("large", synthetic(200_000, 784, 10), 200_000)]


def _fit(features, labels, n_epochs, batch_size):
    model = SoftmaxRegressor(0.1, random_state=0, verbose=False, n_threads=1)
    started = time.perf_counter()
    model.fit(features, labels, n_epochs, batch_size)
    return time.perf_counter() - started, model


def chunking_cost(features, labels, n_epochs, batch_size, n_repeats=15):
    """Median time in calls of 0.1 s over that in one call."""
    names = ("_SECONDS_PER_CALL", "_FIRST_CALL_PRODUCTS", "_EPOCHS_PER_CALL")
    whole = dict(zip(names, (1e6, 10**15, n_epochs), strict=True))
    ratios = []
    for _ in range(n_repeats):
        pieces_seconds, pieces = _fit(features, labels, n_epochs, batch_size)
        with mock.patch.multiple("softreg_fast.solvers.notebook_sgd", **whole):
            whole_seconds, in_one = _fit(features, labels, n_epochs, batch_size)
        np.testing.assert_array_equal(pieces.losses_, in_one.losses_)
        np.testing.assert_array_equal(pieces.coeffs, in_one.coeffs)
        ratios.append(pieces_seconds / whole_seconds)
    return float(np.median(ratios))


def interrupt_latency(features, labels, batch_size, n_repeats=7):
    """Longest time from the signal to the exception."""
    longest = 0.0
    for repeat in range(n_repeats):
        sent = []

        def interrupt(sent=sent):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.5 + 0.13 * repeat, interrupt)
        timer.start()
        try:
            _fit(features, labels, 10**12, batch_size)
        except KeyboardInterrupt:
            longest = max(longest, time.perf_counter() - sent[0])
        timer.join()
    return longest


def main():
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    print(describe())
    for name, load, batch_size in SETS:
        features, labels = load()
        n_epochs = max(4, 400_000_000 // (5 * features.size))
        _fit(features, labels, 1, batch_size)
        cost = chunking_cost(features, labels, n_epochs, batch_size)
        latency = interrupt_latency(features, labels, batch_size)
        print(
            f"{name}, batches of {batch_size:,}: {100 * (cost - 1):+.2f} % time; "
            f"Ctrl-C answered within {latency:.3f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
