"""Work that is timed while something else goes on; called in processes of its own."""

import os
import time
from functools import cache

import numpy as np

from . import cases
from .timing import timed

N_THREADS = {"one thread": 1, "default": None}
# Long enough that no thread of a library spins any more.
_PAUSE = 0.3


def _regressor(case, n_threads):
    from softreg_fast import SoftmaxRegressor

    X, y = case.load()
    return lambda: SoftmaxRegressor(
        0.1, random_state=0, verbose=False, dtype=case.dtype, n_threads=n_threads
    ).fit(X, y, case.n_epochs, case.batch_size)


def _classifier(case, n_threads, **settings):
    from softreg_fast import SoftmaxClassifier

    X, y = case.load()
    return lambda: SoftmaxClassifier(random_state=0, n_threads=n_threads, **settings).fit(X, y)


def _sgd(case, n_threads):
    return _classifier(
        case, n_threads, solver="sgd", max_iter=case.n_epochs, tol=0.0, n_iter_no_change=10_000
    )


def _newton(case, n_threads):
    return _classifier(case, n_threads, solver="newton")


def _prediction(case, n_threads):
    from softreg_fast import SoftmaxClassifier

    X, y = case.load()
    model = SoftmaxClassifier(solver="lbfgs", max_iter=2).fit(X[:5000], y[:5000])
    model.set_params(n_threads=n_threads)
    return lambda: model.predict_proba(X)


KINDS = {
    "regressor": _regressor,
    "sgd": _sgd,
    "newton": _newton,
    "predict_proba": _prediction,
}


def all_works():
    """Kinds of work on cases, by name."""
    dense = cases.dense
    both = "float64", "float32"
    works = [
        *(
            ("regressor", dense(*shape, batch_size=batch_size, n_epochs=n_epochs, dtype=dtype))
            for *shape, batch_size, n_epochs, dtypes in [
                (150, 4, 3, 150, 5000, both[:1]),
                (1_792, 64, 10, 64, 50, both[:1]),
                (100_000, 20, 5, 512, 5, both[:1]),
                (6_000, 784, 10, 128, 5, both[:1]),
                (50_000, 100, 10, 1_024, 4, both[:1]),
                (19_968, 784, 10, 128, 3, both),
                (199_936, 54, 7, 256, 3, both),
                (10_240, 200, 100, 256, 3, both[1:]),
            ]
            for dtype in dtypes
        ),
        ("sgd", dense(60_000, 54, 7, n_epochs=10)),
        ("sgd", dense(20_000, 784, 10, n_epochs=3)),
        ("newton", dense(30_000, 54, 7)),
        ("newton", dense(300_000, 20, 5)),
        ("newton", dense(6_000, 200, 10)),
        ("predict_proba", dense(20_000, 54, 7)),
        ("predict_proba", dense(500_000, 20, 5)),
        ("predict_proba", dense(50_000, 784, 10)),
    ]
    return {
        f"{kind}: {case if kind == 'regressor' else case.title}": (kind, case)
        for kind, case in works
    }


@cache
def _runs(name):
    kind, case = all_works()[name]
    runs = {side: KINDS[kind](case, n_threads) for side, n_threads in N_THREADS.items()}
    for run in runs.values():
        run()
    return runs


@cache
def _square(library):
    random = np.random.default_rng(0).standard_normal((1_000, 1_000))
    if library == "numpy":
        return random
    import torch

    return torch.from_numpy(random)


def _disturb(library):
    """Have the threads of another library begin to spin, which they do after a product."""
    if library is None:
        time.sleep(_PAUSE)
        return
    _square(library) @ _square(library)


def time_turns(name, library, n_repeats):
    """Seconds of a work by side, each in turn after a product of another library, or a pause."""
    seconds = {side: [] for side in N_THREADS}
    for repeat in range(n_repeats):
        for side in list(N_THREADS)[:: 1 - 2 * (repeat % 2)]:
            _disturb(library)
            seconds[side].append(timed(_runs(name)[side])[0])
    return seconds


def pin():
    """Have this process use one CPU alone."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def prepare(name):
    """Run a work once, untimed."""
    _runs(name)


def time_once(name):
    """Seconds of a call with one thread."""
    return timed(_runs(name)["one thread"])[0]


def time_in_windows(name, seconds, stop):
    """Seconds of calls by side, until a time; sides take turns at moments of the clock.

    So all processes that call this at once do the same. Calls at the turns don't count.
    """
    found = {side: [] for side in N_THREADS}
    sides = list(N_THREADS)
    before = None
    while time.time() < stop:
        window = int(time.time() / seconds)
        taken = timed(_runs(name)[sides[window % len(sides)]])[0]
        if before == window == int(time.time() / seconds):
            found[sides[window % len(sides)]].append(taken)
        before = window
    return found
