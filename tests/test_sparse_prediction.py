"""Predictions for sparse rows."""

import numpy as np
import pytest
import scipy.sparse
from conftest import WITHOUT_JIT

from softreg_fast import SoftmaxClassifier, reference
from softreg_fast.inference.listed_rows import ListedRows
from softreg_fast.inference.prediction import _DenseRows, decide, predict
from softreg_fast.runtime import tuning

N_ROWS = 19 if WITHOUT_JIT else 300
CASES = [
    (1, np.float64, np.float64, np.int32, "identity"),
    (3, np.float32, np.float64, np.int32, "identity"),
    *(
        pytest.param(*each, marks=pytest.mark.full)
        for each in [
            (5, np.float32, np.float64, np.int32, "identity"),
            (2, np.float64, np.float64, np.int64, "sigmoid"),
            (5, np.float32, np.float32, np.int32, "identity"),
            (30, np.float64, np.float64, np.int32, "sigmoid"),
        ]
    ),
]


def _rows(dtype=np.float64, index_dtype=np.int32, n_features=40):
    random = np.random.default_rng(0)
    rows = random.standard_normal((N_ROWS, n_features))
    rows[random.uniform(size=rows.shape) * n_features > 10] = 0.0
    rows[3] = 0.0
    matrix = scipy.sparse.csr_array(rows.astype(dtype))
    matrix.indices = matrix.indices.astype(index_dtype)
    matrix.indptr = matrix.indptr.astype(index_dtype)
    return matrix


def _model(n_columns, dtype=np.float64, n_features=40):
    random = np.random.default_rng(1)
    coefficients = (
        random.standard_normal((n_columns, n_features)),
        random.standard_normal(n_columns),
    )
    weights, bias = (each.astype(dtype) for each in coefficients)
    return weights.T, bias


@pytest.mark.parametrize(
    ("n_columns", "features_dtype", "dtype", "index_dtype", "activation"), CASES
)
def test_steps_equal_reference(n_columns, features_dtype, dtype, index_dtype, activation):
    features, model = _rows(features_dtype, index_dtype), _model(n_columns, dtype)
    *found, are_finite = predict(features, *model, activation, keep_steps=True, n_threads=1)
    assert are_finite
    assert {each.dtype for each in found} == {np.dtype(dtype)}
    expected = reference.predict(features.toarray(), *model, activation)
    tolerance = 1e-12 if dtype == np.float64 else 2e-5
    for found_step, expected_step in zip(found, expected, strict=True):
        np.testing.assert_allclose(found_step, expected_step, rtol=0, atol=tolerance)
    values, are_finite = decide(features, *model, activation, n_threads=1)
    np.testing.assert_array_equal(values, found[1])
    assert are_finite


@pytest.mark.parametrize("n_columns", [1, 5])
def test_any_number_of_threads_and_rows_gives_the_same_bits(
    n_columns, eager_threads, started_threads
):
    """Also of so few rows that most features are in none."""
    features, model = _rows(n_features=3_000), _model(n_columns, n_features=3_000)
    expected, *_ = predict(features, *model, "identity", keep_steps=False, n_threads=1)
    assert started_threads == []
    for n_threads in (2, 5):
        found, *_ = predict(features, *model, "identity", keep_steps=False, n_threads=n_threads)
        np.testing.assert_array_equal(found, expected)
        assert started_threads
    for row in (0, 3, N_ROWS - 1):
        one = features[[row]]
        assert 32 * one.nnz < 3_000
        found, *_ = predict(one, *model, "identity", keep_steps=False, n_threads=1)
        np.testing.assert_array_equal(found, expected[[row]])


@pytest.mark.parametrize("kind", [ListedRows, _DenseRows])
def test_one_thread_looks_for_interrupts_between_blocks_of_rows(kind, monkeypatch):
    features, model = _rows(), _model(5 if kind is ListedRows else 3)
    if kind is _DenseRows:
        features = features.toarray()
    expected, *_ = predict(features, *model, "identity", keep_steps=False, n_threads=1)
    original, blocks = kind.predict, []

    def predict_block(self, workspace, start, stop):
        blocks.append((start, stop))
        return original(self, workspace, start, stop)

    monkeypatch.setattr(kind, "predict", predict_block)
    monkeypatch.setattr(tuning, "PRODUCTS_PER_CALL", 1)
    found, *_ = predict(features, *model, "identity", keep_steps=False, n_threads=1)
    np.testing.assert_array_equal(found, expected)
    assert [stop for _, stop in blocks[:-1]] == [start for start, _ in blocks[1:]]
    assert len(blocks) == -(-N_ROWS // (blocks[0][1] - blocks[0][0])) >= (1 if WITHOUT_JIT else 2)


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_that_overflow_are_refused(n_classes, method):
    features = _rows()
    y = np.arange(N_ROWS) % n_classes
    model = SoftmaxClassifier(solver="lbfgs", tol=1.0).fit(features, y)
    model.coef_ = np.where(np.arange(model.coef_.size).reshape(model.coef_.shape) % 2, 1e10, -1e10)
    features = features.copy()
    features.data[features.indptr[5] : features.indptr[6]] = 1e308
    with pytest.raises(ValueError, match="row 5 of X is too large for this model"):
        getattr(model, method)(features)


def test_matrix_without_rows_that_have_elements(monkeypatch):
    monkeypatch.setattr(tuning, "PRODUCTS_OF_A_PREDICTION_WORTH_A_THREAD", 1)
    model = _model(3)
    features = scipy.sparse.csr_array((4, 40))
    found, _, logits, _ = predict(features, *model, "identity", keep_steps=True, n_threads=2)
    np.testing.assert_array_equal(logits, np.tile(model[1], (4, 1)))
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
