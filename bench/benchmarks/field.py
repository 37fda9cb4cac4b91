"""The default number of threads against one, where machines are busy.

The rows of the table say what goes on beside, the columns how many threads are used: nothing; each
timed call comes right after a product of NumPy or PyTorch in the same process, whose threads spin
for a while; another process computes; two processes do the same work at once; the process may use
one CPU alone.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np

from ..compare.checkouts import busy_neighbours
from ..disturbed import N_THREADS, all_works
from ..options import add_common, contains, select
from ..processes import Worker
from ..record import Record
from ..sides.base import reason_without

CHILD = "bench.disturbed"
CONDITIONS = (
    "idle",
    "after NumPy",
    "after PyTorch",
    "beside a busy process",
    "two processes",
    "one CPU",
)
LIBRARIES = {"after NumPy": "numpy", "after PyTorch": "torch"}
SECONDS_OF_A_WINDOW, CALLS_IN_A_WINDOW = 0.6, 6


def add_arguments(parser):
    """Options of the command line."""
    add_common(parser, sides=False)
    parser.add_argument("--conditions", nargs="+", default=[], help="texts that they contain")


def _in_turns(name, condition, n_repeats):
    """Seconds by side, of one process."""
    with Worker() as worker, ExitStack() as stack:
        if condition == "one CPU":
            worker.call(f"{CHILD}:pin")
        worker.call(f"{CHILD}:prepare", name=name)
        if condition == "beside a busy process":
            stack.enter_context(busy_neighbours(1))
        library = LIBRARIES.get(condition)
        return worker.call(f"{CHILD}:time_turns", name=name, library=library, n_repeats=n_repeats)


def _of_two(name, n_repeats):
    """Seconds by side, of two processes at once."""
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker()) for _ in range(2)]
        pool = stack.enter_context(ThreadPoolExecutor(2))

        def call(function, **arguments):
            return list(
                pool.map(lambda worker: worker.call(f"{CHILD}:{function}", **arguments), workers)
            )

        call("prepare", name=name)
        window = max(
            SECONDS_OF_A_WINDOW,
            *(CALLS_IN_A_WINDOW * each for each in call("time_once", name=name)),
        )
        # All calls of a process count as one: how long they take depends on the other one.
        stop = time.time() + 2 * window * n_repeats
        found = call("time_in_windows", name=name, seconds=window, stop=stop)
    return {side: [float(np.mean(each[side])) for each in found] for side in N_THREADS}


def run(options):
    """Measure; gives the record."""
    record = Record("field")
    conditions = [each for each in CONDITIONS if contains(each, options.conditions)]
    for condition in conditions[:]:
        reason = reason_without(LIBRARIES.get(condition, "numpy"))
        if reason:
            record.leave_out(condition, reason)
            conditions.remove(condition)
    for name, (_, case) in select(list(all_works().items()), options, key=lambda item: item[0]):
        for condition in conditions:
            title = f"{name}; {condition}"
            record.add_case(case, title)
            if condition == "two processes":
                seconds = _of_two(name, options.repeats)
            else:
                seconds = _in_turns(name, condition, options.repeats)
            one = float(np.median(seconds["one thread"]))
            for side in N_THREADS:
                ratio = float(np.median(seconds[side])) / one
                record.add(title, side, "seconds", seconds[side], ratio=ratio)
            print(f"{title}: {1e3 * one:.2f} ms, {ratio:.3f}", flush=True)
    return record
