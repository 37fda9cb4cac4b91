"""What leaving the compiled code every 0.1 s costs and gives.

Cost: the time of a fit in calls of 0.1 s over that in one call, in turns, equal bits asserted.
Gain: the longest time from Ctrl-C to the exception, which must be less than a second.
"""

import os
import signal
import threading
import time

import numpy as np

from softreg_fast import SoftmaxRegressor

from .. import cases
from ..internals import uninterrupted
from ..options import add_common, select
from ..record import Record
from ..timing import take_turns

PRODUCTS_OF_A_RUN = 80_000_000
LONGEST_LATENCY = 1.0
SIDES = "in calls of 0.1 s", "in one call"


def all_cases():
    """What is trained on."""
    return [
        cases.case("iris-unit"),
        cases.case("iris-unit", batch_size=16),
        cases.dense(200_000, 784, 10, batch_size=200_000),
    ]


def _fit(case, n_epochs):
    model = SoftmaxRegressor(0.1, random_state=0, verbose=False, n_threads=1)
    return model.fit(*case.load(), n_epochs, case.batch_size)


def add_cost(record, name, case, n_repeats):
    """Measure the cost of leaving the compiled code."""
    n_epochs = max(4, PRODUCTS_OF_A_RUN // (case.n_samples * case.n_features))

    def in_one_call():
        with uninterrupted(n_epochs):
            return _fit(case, n_epochs)

    turns = take_turns(
        dict(zip(SIDES, (lambda: _fit(case, n_epochs), in_one_call), strict=True)), n_repeats
    )
    models = [turns[side].result for side in SIDES]
    unequal = sum(
        not np.array_equal(getattr(models[0], name), getattr(models[1], name))
        for name in ("losses_", "coeffs", "biases")
    )
    record.check(name, SIDES[0], "arrays of other bits", unequal, 0)
    ratios = np.divide(*(turns[side].seconds for side in SIDES))
    record.add(name, SIDES[0], "ratio", ratios, of=SIDES[1])


def add_latency(record, name, case, n_repeats):
    """Measure the time to the exception."""
    seconds = []
    for repeat in range(n_repeats):
        sent = []

        def interrupt(sent=sent):
            sent.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

        timer = threading.Timer(0.5 + 0.13 * repeat, interrupt)
        timer.start()
        try:
            _fit(case, 10**12)
        except KeyboardInterrupt:
            seconds.append(time.perf_counter() - sent[0])
        timer.join()
    record.add(name, SIDES[0], "seconds_to_interrupt", max(seconds))
    record.check(name, SIDES[0], "seconds to the exception", max(seconds), LONGEST_LATENCY)


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, repeats=15, sides=False)


def run(options):
    """Measure; gives the record."""
    # A shell starts what runs in the background with interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    record = Record("interrupt")
    for case in select(all_cases(), options):
        name = record.add_case(case)
        print(f"{name} ...", flush=True)
        add_cost(record, name, case, options.repeats)
        add_latency(record, name, case, min(options.repeats, 7))
        cases.forget()
    return record
