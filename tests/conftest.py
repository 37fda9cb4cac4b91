"""What tests share.

Markers sort tests into tiers. A test without one is quick. `full` tests take long, or need a
package of the extra `full`, which they import inside; `soak` tests search at random, kill
processes or run as other CPUs. A test that can't run everywhere is marked `runs_if(condition)`.
Nothing is ever skipped: what doesn't belong to the tier, or can't run here, isn't collected.
"""

import _thread
import inspect
import os
import threading
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegressionCV
from threadpoolctl import threadpool_limits

# Without the JIT, kernels run as Python, a thousand times slower.
WITHOUT_JIT = os.environ.get("NUMBA_DISABLE_JIT") == "1"
# No test is timed. A process or thread that takes so many seconds hangs.
HANG_GUARD = 1800

# scikit-learn has callbacks from 1.9 on.
collect_ignore = [] if find_spec("sklearn.callback") else ["test_callbacks.py"]

# Its attributes are like those of SoftmaxClassifierCV only if it is asked, from 1.8 on.
LOGISTIC_REGRESSION_CV_IS_A_PEER = (
    "use_legacy_attributes" in inspect.signature(LogisticRegressionCV).parameters
)

# What compiles says so, here and in processes that tests start.
os.environ.setdefault("SOFTREG_FAST_QUIET", "1")

settings.register_profile(
    "deterministic", derandomize=True, deadline=None, max_examples=8 if WITHOUT_JIT else 40
)
settings.load_profile("deterministic")
# For tests marked `soak`.
AT_RANDOM = settings(derandomize=False, deadline=None, max_examples=2_000)

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers that have a thread of BLAS for each CPU hinder each other.
    threadpool_limits(1, user_api="blas")


def pytest_collection_modifyitems(config, items):
    """Leave out what can't run here."""
    left_out = {
        item
        for item in items
        if not all(marker.args[0] for marker in item.iter_markers("runs_if"))
        # scikit-learn skips it where SciPy's support of the array API is switched off.
        or "check_array_api" in item.name
    }
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _seed():
    """Whatever draws from NumPy's own generator draws the same in any order of tests."""
    np.random.seed(0)


@pytest.fixture
def iris():
    """Rows shuffled and scaled as in the notebook: features, int8 labels."""
    data = load_iris()
    rows = np.append(data.data, data.target[:, None], axis=1)
    np.random.RandomState(0).shuffle(rows)
    features = rows[:, :4]
    scaled = (features - features.min()) / (features.max() - features.min())
    return scaled, rows[:, -1].astype(np.int8)


@pytest.fixture
def make_data():
    def make(n_samples, n_features, n_classes, seed=0):
        """Normal features; labels that depend on them, every class present if there are rows."""
        random = np.random.default_rng(seed)
        features = random.standard_normal((n_samples, n_features))
        scores = features @ random.standard_normal((n_features, n_classes))
        labels = (scores + random.gumbel(size=scores.shape)).argmax(axis=1)
        labels[-1] = n_classes - 1
        return features, labels

    return make


@pytest.fixture(autouse=True)
def threads_that_coverage_follows(monkeypatch):
    """Where kernels run as Python: it follows those that `threading` starts."""

    def start(function, arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    if WITHOUT_JIT:
        monkeypatch.setattr("_thread.start_new_thread", start)


@pytest.fixture(autouse=True)
def threads_whatever_else_runs(monkeypatch):
    """Threads are asked though other work, other tests' too, has lately had the CPUs."""
    monkeypatch.setattr("softreg_fast.runtime.contention.contention.is_on", lambda: False)


@pytest.fixture
def started_threads(monkeypatch):
    """The numbers of threads of this package that are started to share work: not to compile."""
    started = []
    start = _thread.start_new_thread

    def start_and_tell(function, arguments):
        started.append(*arguments)
        return start(function, arguments)

    monkeypatch.setattr("_thread.start_new_thread", start_and_tell)
    return started


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads and cuts for the least work, and more threads than this machine may have CPUs."""
    from softreg_fast.runtime import tuning

    monkeypatch.setattr("softreg_fast.runtime.threads._usable_cpus", lambda: 64)
    for name in [each for each in vars(tuning) if "_WORTH_A_" in each]:
        monkeypatch.setattr(tuning, name, 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.PRODUCTS_WORTH_CUTTING", 1)
    monkeypatch.setattr("softreg_fast.runtime.tuning.CHUNK_ROWS", 8)
