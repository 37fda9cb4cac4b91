import os

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_iris

# Without the JIT, kernels run as Python, a thousand times slower.
WITHOUT_JIT = os.environ.get("NUMBA_DISABLE_JIT") == "1"

settings.register_profile(
    "deterministic", derandomize=True, deadline=None, max_examples=8 if WITHOUT_JIT else 40
)
settings.load_profile("deterministic")


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


@pytest.fixture
def eager_threads(monkeypatch):
    """Threads and cuts for the least work, and more threads than this machine may have CPUs."""
    monkeypatch.setattr("softreg_fast.threads._usable_cpus", lambda: 64)
    for name in ("_PRODUCTS_WORTH_A_THREAD", "_PRODUCTS_WORTH_A_TEAM",
                 "_PRODUCTS_OF_A_STEP_WORTH_A_TEAM"):  # fmt: skip
        monkeypatch.setattr(f"softreg_fast.threads.{name}", 1)
    monkeypatch.setattr("softreg_fast.layout._PRODUCTS_WORTH_CUTTING", 1)
    monkeypatch.setattr("softreg_fast.layout._CHUNK_ROWS", 8)
