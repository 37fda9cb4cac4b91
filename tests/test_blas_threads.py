"""BLAS starts no threads within fits and predictions, and keeps those that others have set."""

import math
import threading
import time

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_limits

from softreg_fast import SoftmaxClassifier, SoftmaxRegressor
from softreg_fast.runtime.blas import inner_product, matrix_product, norm, one_blas_thread

# What a thread of BLAS spins for when it has no work is longer.
_SECONDS_OF_OTHERS = 0.02


def _seconds_of_other_threads():
    return time.process_time() - time.thread_time()


def _least_seconds_of_other_threads(call):
    """Of some calls: the process may have threads of its own, which compute now and then."""
    seconds = []
    for _ in range(5):
        _wait_until_quiet()
        before = _seconds_of_other_threads()
        call()
        seconds.append(_seconds_of_other_threads() - before)
        if seconds[-1] < _SECONDS_OF_OTHERS:
            break
    return min(seconds)


def _wait_until_quiet():
    before = _seconds_of_other_threads()
    for _ in range(100):
        time.sleep(0.05)
        now = _seconds_of_other_threads()
        if now - before < 1e-3:
            return
        before = now


def _data(n_samples, n_features, n_classes):
    generator = np.random.default_rng(0)
    features = generator.standard_normal((n_samples, n_features))
    logits = features[:, :n_classes] + generator.gumbel(size=(n_samples, n_classes))
    return features, logits.argmax(axis=1)


@pytest.mark.parametrize(
    ("parameters", "shape"),
    [
        ({"solver": "newton"}, (6000, 200, 4)),
        pytest.param({"solver": "newton"}, (9000, 40, 6), marks=pytest.mark.full),
        pytest.param({"solver": "newton"}, (4000, 40, 2), marks=pytest.mark.full),
        ({"solver": "newton", "l1_ratio": 1.0, "C": 0.05}, (5000, 130, 8)),
        ({"solver": "newton", "l1_ratio": 1.0, "C": 0.05}, (3000, 200, 4)),
        # These stop early: how far they come doesn't matter here.
        *(
            pytest.param(
                {"max_iter": 5, **parameters},
                shape,
                marks=[
                    pytest.mark.filterwarnings(
                        "ignore:SoftmaxClassifier has not converged in 5 (iterations|epochs)"
                        ":sklearn.exceptions.ConvergenceWarning"
                    ),
                    *marks,
                ],
            )
            for parameters, shape, marks in [
                ({"solver": "lbfgs"}, (2000, 800, 13), [pytest.mark.full]),
                ({"solver": "sgd"}, (4000, 200, 5), [pytest.mark.full]),
                ({"solver": "sgd", "l1_ratio": 1.0}, (4000, 800, 13), [pytest.mark.full]),
            ]
        ),
    ],
)
def test_a_fit_on_one_thread_wakes_no_thread_of_blas(parameters, shape):
    features, labels = _data(*shape)
    model = SoftmaxClassifier(n_threads=1, **parameters)
    model.fit(features, labels)
    found = _least_seconds_of_other_threads(
        lambda: model.fit(features, labels).predict_proba(features)
    )
    assert found < _SECONDS_OF_OTHERS


@pytest.mark.full
def test_a_regressors_fit_on_one_thread_wakes_no_thread_of_blas():
    features, labels = _data(5000, 200, 12)
    model = SoftmaxRegressor(0.5, n_threads=1, verbose=False).fit(features, labels, 3, 128)
    found = _least_seconds_of_other_threads(
        lambda: model.fit(features, labels, 3, 128).predict(features)
    )
    assert found < _SECONDS_OF_OTHERS


def _blas_threads():
    libraries = ThreadpoolController().select(user_api="blas")
    return [library["num_threads"] for library in libraries.info()]


def test_blas_has_its_threads_again_after_overlapping_contexts():
    before = _blas_threads()
    is_inside, may_leave = threading.Event(), threading.Event()

    def overlap():
        with one_blas_thread():
            is_inside.set()
            may_leave.wait(10.0)

    thread = threading.Thread(target=overlap)
    with one_blas_thread():
        thread.start()
        assert is_inside.wait(10.0)
        with one_blas_thread():
            pass
        assert set(_blas_threads()) <= {1}
    assert set(_blas_threads()) <= {1}  # the other one is inside
    may_leave.set()
    thread.join()
    assert _blas_threads() == before


def test_blas_has_its_threads_again_after_an_error():
    before = _blas_threads()
    with pytest.raises(KeyError), one_blas_thread():
        raise KeyError
    assert _blas_threads() == before


@pytest.mark.parametrize("size", [0, 1, 8192, 8193, 30_000])
def test_inner_product_and_norm_are_those_of_numpy(size):
    left, right = np.random.default_rng(0).standard_normal((2, size))
    matrix = right[: size // 2 * 2].reshape(2, -1)
    if size <= 8192:
        assert inner_product(left, right) == float(left @ right)
        assert norm(left) == float(np.linalg.norm(left))
    # Longer sums, and those in another order, are rounded otherwise: by a few units of the sum of
    # all terms' sizes.
    unit = 4.0 * np.finfo(np.float64).eps
    exact = math.fsum(left * right)
    assert inner_product(left, right) == pytest.approx(
        exact, rel=0.0, abs=unit * math.fsum(np.abs(left * right))
    )
    exact = math.sqrt(math.fsum(np.square(matrix).ravel()))
    assert norm(matrix.T) == pytest.approx(exact, rel=unit, abs=0.0)


@pytest.mark.parametrize("shape", [(3, 4, 2), (300, 40, 20)])
def test_matrix_product_is_that_of_numpy(shape):
    generator = np.random.default_rng(0)
    left = generator.standard_normal(shape[:2])
    right = generator.standard_normal(shape[1:])
    with threadpool_limits(1):
        of_vector, of_matrices = left[0] @ right, left @ right
    np.testing.assert_array_equal(matrix_product(left[0], right), of_vector)
    np.testing.assert_array_equal(matrix_product(left, right), of_matrices)
