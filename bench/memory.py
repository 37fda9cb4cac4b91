"""Peak memory of a fit beside its data, in a fresh process; Linux alone."""

import ctypes
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import cases
from .processes import call_in_fresh_process

CLEAR = Path("/proc/self/clear_refs")
FEW_ROWS = 4000
SECONDS_BETWEEN_LOOKS = 0.01
# By the first word of a kind of fit, what it is of; and what fits of a classifier are made with.
MAKERS = {"sparse": cases.sparse, "tf-idf": cases.tf_idf}
SETTINGS = {
    "lbfgs": {"solver": "lbfgs"},
    "newton": {"solver": "newton"},
    "L1": {"l1_ratio": 1.0, "C": 0.01},
    "sparse sgd": {"solver": "sgd", "max_iter": 2},
    "sparse lbfgs": {"solver": "lbfgs", "max_iter": 2},
    "sparse newton": {"solver": "newton", "max_iter": 2},
    "sparse L1": {"l1_ratio": 1.0, "max_iter": 2},
    "tf-idf newton": {"solver": "newton"},
}


def can_measure():
    """Whether the system tells the peak."""
    return CLEAR.exists()


def _status(field):
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


@dataclass
class Peak:
    """Bytes above those at the beginning."""

    n_bytes: int = 0


@contextmanager
def watched_memory():
    """The peak of anonymous memory, of which a thread looks after all the time."""
    before, peak, is_over = _status("RssAnon"), Peak(), threading.Event()

    def watch():
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            peak.n_bytes = max(peak.n_bytes, _status("RssAnon") - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        is_over.set()
        watcher.join()


def _give_back_free_memory():
    """Have the allocator keep nothing in stock, which would hide what a fit takes."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def _fit_function(kind, batch_size, n_threads):
    """A function of X and y, and one that gives what the fit has learned."""
    from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor

    if kind == "descent":
        from .internals import BareDescent

        return lambda X, y: BareDescent(X, y).start(
            min(batch_size, len(X)), 1, 1e-3, n_threads=n_threads
        )()
    if kind == "regressor":
        model = SoftmaxRegressor(0.1, verbose=False)
        return lambda X, y: model.fit(X, y, 2, min(batch_size, len(X)))
    if kind == "cross-validation":
        return lambda X, y: SoftmaxClassifierCV(Cs=5, cv=5).fit(X, y)
    settings = {"random_state": 0} | SETTINGS[kind]
    return lambda X, y: SoftmaxClassifier(**settings).fit(X, y)


def measure_here(kind, shape, dtype, batch_size, n_threads):
    """Peak bytes in this process; see `peak_bytes`."""
    warnings.simplefilter("ignore")
    make = MAKERS.get(kind.split()[0], cases.dense)
    X, y = make(*shape, dtype=dtype).load()
    y = y.astype(np.int32)
    fit = _fit_function(kind, batch_size, n_threads)
    fit(X[:FEW_ROWS], y[:FEW_ROWS])  # compiles and loads everything
    return peak_of(lambda: fit(X, y))


def peak_of(call):
    """Peak bytes that a call takes in this process, beside what there is."""
    _give_back_free_memory()
    CLEAR.write_text("5", encoding="ascii")
    before = _status("VmRSS")
    call()
    return max(_status("VmHWM") - before, 0)


def peak_bytes(kind, case, n_threads=None):
    """Peak bytes of a fit beside the features.

    Parameters
    ----------
    kind : str
        "descent", "regressor", "cross-validation" or one of `SETTINGS`.
    case : Case
        A synthetic one.
    n_threads : int, default=None
        Of "descent".

    Returns
    -------
    int
    """
    return call_in_fresh_process(
        "bench.memory:measure_here", kind=kind, dtype=case.dtype, batch_size=case.batch_size,
        shape=(case.n_samples, case.n_features, case.n_classes), n_threads=n_threads,
    )  # fmt: skip
