"""Numbers of dtypes that kernels don't know: converted, or refused by name."""

import pickle
import warnings
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor

RANDOM = np.random.default_rng(0)
# Of few bits, so that every dtype holds them.
X = np.round(8.0 * RANDOM.standard_normal((60, 3))) / 4.0
X[np.abs(X) < 0.6] = 0.0
Y = ((X[:, 0] + RANDOM.standard_normal(60)) > 0.0).astype(int) + (X[:, 1] > 1.0)
WEIGHTS = RANDOM.integers(1, 5, 60).astype(float)
# What numbers are, and what they are to be taken for.
DTYPES = {"float16": "f8", "longdouble": "f8", ">f8": "f8", ">f4": "f4", ">i4": "f8", "u1": "f8"}
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda array: np.repeat(np.repeat(array, 2, axis=0), 2, axis=1)[::2, ::2],
    "reversed": lambda array: array[::-1].copy()[::-1],
    "unaligned": lambda array: _unaligned(array),
}


def _unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)
    found = memory[1:].view(array.dtype).reshape(array.shape)
    found[...] = array
    return found


def _numbers(array, name):
    """Of a dtype; whole ones where it has no others."""
    return (np.abs(np.trunc(array)) if np.dtype(name).kind in "iu" else array).astype(name)


def _classifiers():
    return [
        SoftmaxClassifier(),
        SoftmaxClassifier(solver="lbfgs"),
        SoftmaxClassifier(solver="sgd", random_state=0),
        SoftmaxClassifierCV(Cs=3, cv=2),
    ]


def _fit(model, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*arguments, **named)


@pytest.mark.parametrize(
    ("dtype", "layout"),
    [
        # The kernels of float32, which compile for long.
        pytest.param(dtype, layout, marks=[pytest.mark.full] * (dtype == ">f4"))
        for dtype, layout in product(DTYPES, LAYOUTS)
    ],
)
def test_features_are_those_of_the_converted(dtype, layout):
    given = LAYOUTS[layout](_numbers(X, dtype))
    converted = np.asarray(given).astype(DTYPES[dtype])
    for model in _classifiers():
        found = _fit(model, given, Y)
        coef = found.coef_
        assert coef.dtype == np.dtype(DTYPES[dtype])
        proba, labels = found.predict_proba(given), found.predict(given)
        np.testing.assert_array_equal(proba, found.predict_proba(converted))
        np.testing.assert_array_equal(labels, found.predict(converted))
        np.testing.assert_array_equal(coef, _fit(model, converted, Y).coef_)


@pytest.mark.parametrize(
    ("dtype", "solver"),
    [
        # The kernels of float32 for sparse rows, which compile for long.
        pytest.param(dtype, solver, marks=[pytest.mark.full] * (dtype == ">f4" or solver == "sgd"))
        for dtype, solver in product(DTYPES, ["newton", "lbfgs", "sgd"])
    ],
)
def test_sparse_elements_are_those_of_the_converted(dtype, solver):
    given = sparse.csr_array(X)
    given.data = _numbers(given.data, dtype)
    converted = sparse.csr_array(X)
    converted.data = given.data.astype(DTYPES[dtype])
    model = SoftmaxClassifier(solver=solver, random_state=0)
    coef = _fit(model, given, Y).coef_
    np.testing.assert_array_equal(coef, _fit(model, converted, Y).coef_)
    np.testing.assert_array_equal(model.predict_proba(given), model.predict_proba(converted))


@pytest.mark.parametrize("solver", ["newton", "lbfgs", pytest.param("sgd", marks=pytest.mark.full)])
@pytest.mark.parametrize("dtype", ["i1", "i2", ">i4", ">i8", "u4", "u8", "i8", "strided"])
def test_sparse_indices_are_those_of_the_converted(dtype, solver):
    plain = sparse.csr_array(X)
    given = plain.copy()
    for name in ("indices", "indptr") + ("data",) * (dtype == "strided"):
        array = getattr(given, name)
        if dtype == "strided":
            setattr(given, name, np.repeat(array, 2)[::2])
        elif dtype != "i1" or name == "indices":
            setattr(given, name, array.astype(dtype))
    before = {name: getattr(given, name) for name in ("indices", "indptr", "data")}
    model = SoftmaxClassifier(solver=solver, random_state=0)
    coef = _fit(model, given, Y).coef_
    np.testing.assert_array_equal(coef, _fit(model, plain, Y).coef_)
    np.testing.assert_array_equal(model.predict_proba(given), model.predict_proba(plain))
    assert all(getattr(given, name) is array for name, array in before.items())


def test_sparse_indices_that_are_no_integers_are_refused():
    given = sparse.csr_array(X)
    given.indices = given.indices.astype(float)
    with pytest.raises(ValueError, match=r"X\.indices has dtype float64: it must hold integers"):
        SoftmaxClassifier().fit(given, Y)
    given = sparse.csr_array(X)
    given.indices = given.indices.astype(np.uint64)
    given.indices[0] = 2**64 - 1
    with pytest.raises(ValueError, match="indices"):
        SoftmaxClassifier().fit(given, Y)


@pytest.mark.parametrize("dtype", [*DTYPES, "f4", "?", "O"])
def test_weights_are_those_of_the_converted(dtype):
    given = WEIGHTS.astype(dtype)
    for model in _classifiers():
        coef = _fit(model, X, Y, sample_weight=given).coef_
        expected = _fit(model, X, Y, sample_weight=given.astype(float)).coef_
        np.testing.assert_array_equal(coef, expected)


def _set(model, **attributes):
    vars(model).update(attributes)
    return model


@pytest.mark.parametrize(
    ("dtype", "features"),
    [
        # Sparse rows in float32 alone have a kernel of their own.
        pytest.param(
            dtype, features, marks=[pytest.mark.full] * (dtype == ">f4" and features == "f4")
        )
        for dtype, features in product([*DTYPES, "list", "Fortran", "strided"], ["f8", "f4"])
    ],
)
def test_coefficients_that_are_set_are_those_of_the_converted(dtype, features):
    values = np.round(4.0 * RANDOM.standard_normal((3, 3))) / 4.0
    if dtype == "list":
        given, plain = values.tolist(), values
    elif dtype in LAYOUTS:
        given, plain = LAYOUTS[dtype](values), values
    else:
        given = _numbers(values, dtype)
        plain = given.astype(DTYPES[dtype])
    rows = X.astype(features)
    sparse_rows = sparse.csr_array(rows)
    model = _fit(SoftmaxClassifier(solver="sgd", random_state=0), X, Y)
    intercept = given[0]
    found = pickle.loads(pickle.dumps(_set(model, coef_=given, intercept_=intercept)))
    proba, decisions = found.predict_proba(rows), found.decision_function(sparse_rows)
    expected = _set(model, coef_=plain, intercept_=np.asarray(plain[0]))
    np.testing.assert_allclose(proba, expected.predict_proba(rows), rtol=1e-6)
    np.testing.assert_allclose(decisions, expected.decision_function(sparse_rows), rtol=1e-6)
    exported = found.to_sklearn()
    np.testing.assert_allclose(exported.predict_proba(rows), proba, rtol=1e-5)
    begun = found.partial_fit(X, Y).coef_
    np.testing.assert_allclose(begun, expected.partial_fit(X, Y).coef_, rtol=1e-6)
    warm = SoftmaxClassifier(warm_start=True, max_iter=1, tol=1e3).fit(X, Y)
    _set(warm, coef_=given, intercept_=intercept).fit(X, Y)
    np.testing.assert_allclose(
        warm.coef_ - warm.coef_.mean(0), plain - np.mean(plain, 0), rtol=1e-6
    )


BAD_COEFFICIENTS = {
    "complex": ({"coef_": np.ones((3, 3)) + 0j}, TypeError, "coef_ has dtype complex128"),
    "objects": ({"coef_": np.ones((3, 3), object)}, TypeError, "coef_ has dtype object"),
    "strings": ({"coef_": np.ones((3, 3)).astype(str)}, TypeError, "coef_ has dtype <U"),
    "shape": ({"coef_": np.ones((3, 2))}, ValueError, r"coef_ has shape \(3, 2\)"),
    "classes": ({"coef_": np.ones((2, 3))}, ValueError, r"coef_ has shape \(2, 3\)"),
    "one row": ({"coef_": np.ones(3)}, ValueError, r"coef_ has shape \(3,\)"),
    "NaN": ({"coef_": np.full((3, 3), np.nan)}, ValueError, r"coef_\[0, 0\] is NaN"),
    "complex intercept": ({"intercept_": np.ones(3) + 5j}, TypeError, "intercept_ has dtype comp"),
    "intercept": ({"intercept_": np.ones(2)}, ValueError, r"intercept_ \(2,\)"),
    "a number": ({"intercept_": 0.0}, ValueError, r"intercept_ has shape \(\)"),
    "infinite": (
        {"intercept_": np.array([0, 0, np.inf])},
        ValueError,
        r"intercept_\[0, 2\] is inf",
    ),
}


@pytest.mark.parametrize("name", BAD_COEFFICIENTS)
def test_coefficients_that_are_no_numbers_or_of_another_shape_are_refused(name):
    changed, error, message = BAD_COEFFICIENTS[name]
    model = _set(SoftmaxClassifier().fit(X, Y), **changed)
    for rows in (X, sparse.csr_array(X)):
        with pytest.raises(error, match=message):
            model.predict_proba(rows)
        with pytest.raises(error, match=message):
            model.predict(rows)


COMPLEX = {
    "X": ({"X": X + 0j}, "X has dtype complex128"),
    "list": ({"X": (X + 0j).tolist()}, "X is not allowed: Complex data not supported"),
    "frame": ({"X": pd.DataFrame(X + 0j)}, "X is not allowed: Complex data not supported"),
    "sparse": ({"X": sparse.csr_array(X + 1j * X)}, "X has dtype complex128"),
    "y": ({"y": Y + 0j}, "y is not allowed: Complex data not supported"),
    "sample_weight": (
        {"sample_weight": WEIGHTS + 5j},
        "sample_weight is not allowed: .*complex128",
    ),
    "imaginary zeros": ({"sample_weight": WEIGHTS + 0j}, "sample_weight is not allowed"),
    "list of weights": ({"sample_weight": [1j] * 60}, "sample_weight is not allowed"),
    "objects": ({"sample_weight": np.array([1j] * 60, object)}, "sample_weight is not allowed"),
    "strings": ({"sample_weight": WEIGHTS.astype(str)}, "sample_weight is not allowed: .*<U"),
    "durations": ({"sample_weight": WEIGHTS.astype("m8[s]")}, "sample_weight .*timedelta64"),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_numbers_are_refused_by_name(name):
    changed, message = COMPLEX[name]
    for model in _classifiers():
        with pytest.raises((TypeError, ValueError), match=message):
            model.fit(**{"X": X, "y": Y, **changed})
        assert not hasattr(model, "n_features_in_")
    model = SoftmaxClassifier(solver="sgd").partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises((TypeError, ValueError), match=message):
        model.partial_fit(**{"X": X, "y": Y, **changed})
    if "X" in changed:
        for method in (model.predict, model.predict_proba, model.decision_function):
            with pytest.raises(ValueError, match=message):
                method(changed["X"])


@pytest.mark.parametrize("factor", [1 + 1j, "2", None, np.ones(2)])
def test_factors_of_classes_that_are_no_numbers_are_refused(factor):
    for model in _classifiers():
        model.set_params(class_weight={0: 1.0, 1: factor, 2: 1.0})
        with pytest.raises(TypeError, match=r"class_weight has .* for the class 1"):
            model.fit(X, Y)


def test_factors_of_classes_may_be_numbers_of_any_kind():
    plain = SoftmaxClassifier(class_weight={0: 2.0, 1: 0.5, 2: 3.0}).fit(X, Y)
    factors = {0: np.longdouble(2), 1: np.float16(0.5), 2: 3}
    found = SoftmaxClassifier(class_weight=factors).fit(X, Y)
    np.testing.assert_array_equal(found.coef_, plain.coef_)


def test_complex_arguments_besides_are_refused_by_name():
    with pytest.raises(TypeError, match="coef_init has dtype complex128"):
        SoftmaxClassifier().fit(X, Y, coef_init=np.ones((3, 3)) + 0j)
    with pytest.raises(TypeError, match="intercept_init has dtype complex128"):
        SoftmaxClassifier().fit(X, Y, intercept_init=np.ones(3) + 0j)
    with pytest.raises(ValueError, match="X_val has dtype complex128"):
        SoftmaxClassifier().fit(X, Y, X_val=X + 0j, y_val=Y)
    with pytest.raises(ValueError, match="classes has dtype complex128"):
        SoftmaxClassifier(solver="sgd").partial_fit(X, Y, classes=[0j, 1, 2])
    with pytest.raises(TypeError, match="sample_weight_val is not allowed"):
        SoftmaxClassifier().fit(X, Y, X_val=X, y_val=Y, sample_weight_val=WEIGHTS + 0j)


@pytest.mark.parametrize(
    "dtype", [pytest.param(each, marks=[pytest.mark.full] * (each == ">f4")) for each in DTYPES]
)
def test_held_out_rows_streams_and_starts_are_those_of_the_converted(dtype):
    given = _numbers(X, dtype)
    converted = given.astype(DTYPES[dtype])

    def results(rows, numbers):
        settings = {"solver": "sgd", "random_state": 0, "max_iter": 20}
        held_out = SoftmaxClassifier(**settings)
        _fit(held_out, X, Y, X_val=rows, y_val=Y, sample_weight_val=numbers[:, 0] + 1)
        stream = SoftmaxClassifier(**settings).partial_fit(
            rows, Y, [0, 1, 2], np.abs(numbers[:, 1])
        )
        stream.partial_fit(rows, Y)
        begun = _fit(SoftmaxClassifier(**settings), X, Y, coef_init=numbers[:3])
        return held_out.validation_curve_, stream.coef_, begun.coef_

    numbers = np.abs(given)
    for found, expected in zip(
        results(given, numbers), results(converted, numbers.astype(float)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def test_numbers_beyond_float64_are_refused():
    large = X.astype(np.longdouble)
    large[3, 1] = np.longdouble("1e4000")
    if not np.isfinite(large[3, 1]):  # here it is no wider than float64
        assert np.finfo(np.longdouble).max == np.finfo(float).max
    with pytest.raises(ValueError, match=r"X\[3, 1\] is inf"):
        SoftmaxClassifier().fit(large, Y)
    with pytest.raises(ValueError, match=r"x\[3, 1\] is"):
        SoftmaxRegressor(0.5, verbose=False).fit(large, Y, 1, 10)
    with pytest.raises(ValueError, match=r"sample_weight\[3\] is inf"):
        SoftmaxClassifier().fit(X, Y, np.abs(large[:, 1]))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_regressor_takes_them_for_the_converted(dtype, layout):
    given = LAYOUTS[layout](_numbers(X, dtype))
    converted = given.astype("f8")

    def fit(rows):
        return SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(rows, Y, 3, 10)

    model, expected = fit(given), fit(converted)
    np.testing.assert_array_equal(model.coeffs, expected.coeffs)
    np.testing.assert_array_equal(model.predict(given), expected.predict(converted))
    values = np.round(4.0 * RANDOM.standard_normal((3, 3)))
    model.coeffs = LAYOUTS[layout](_numbers(values, dtype))
    model.biases = model.coeffs[0]
    expected.coeffs = model.coeffs.astype("f8")
    expected.biases = expected.coeffs[0]
    np.testing.assert_array_equal(model.predict(X), expected.predict(X))


@pytest.mark.parametrize("name", ["coeffs", "biases"])
def test_regressor_refuses_parameters_that_are_no_numbers(name):
    model = SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(X, Y, 3, 10)
    plain = getattr(model, name)
    for wrong in (plain + 5j, plain.astype(str), plain.astype(object)):
        setattr(model, name, wrong)
        with pytest.raises(TypeError, match=f"{name} has dtype"):
            model.predict(X)


def test_dtype_of_the_regressor_is_one_of_two():
    for wrong in ("float16", np.longdouble, complex, "i4"):
        with pytest.raises(ValueError, match=r"dtype=.* is not allowed"):
            SoftmaxRegressor(0.5, dtype=wrong)
    found = SoftmaxRegressor(0.5, dtype=">f4", random_state=0, verbose=False).fit(X, Y, 1, 10)
    assert found.coeffs.dtype == np.float32
    assert found.coeffs.dtype.isnative


NAMES = ["age", "height", "weight"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_errors_name_the_column_of_a_frame(value):
    frame = pd.DataFrame(X, columns=NAMES)
    wrong = frame.copy()
    wrong.iloc[5, 1] = value
    message = r"X\[5, 1\] \(feature 'height'\) is (NaN|inf)"
    for model in _classifiers():
        with pytest.raises(ValueError, match=message):
            model.fit(wrong, Y)
        model.fit(frame, Y)
        for method in (model.predict, model.predict_proba, model.decision_function):
            with pytest.raises(ValueError, match=message):
                method(wrong)
    model = SoftmaxClassifier(solver="sgd")
    with pytest.raises(ValueError, match=message):
        model.partial_fit(wrong, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=message.replace("X", "X_val")):
        model.fit(frame, Y, X_val=wrong, y_val=Y)
    with pytest.raises(ValueError, match=message.replace("X", "x")):
        SoftmaxRegressor(0.5, verbose=False).fit(wrong, Y, 1, 10)
    with pytest.raises(ValueError, match=r"X\[5, 1\] is"):
        model.fit(wrong.to_numpy(), Y)
    with pytest.raises(ValueError, match=r"X\[5, 1\] is"):
        model.fit(wrong.set_axis(range(3), axis=1), Y)


def test_errors_name_the_column_of_a_sparse_frame():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X), columns=NAMES)
    wrong = X.copy()
    wrong[5, 1] = np.nan
    wrong = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(wrong), columns=NAMES)
    model = SoftmaxClassifier().fit(frame, Y)
    with pytest.raises(ValueError, match=r"X\[5, 1\] \(feature 'height'\) is NaN"):
        model.predict(wrong)
