"""Bad input: an error that names it, nothing printed, the model as it was."""

import copy

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from softreg_fast import SoftmaxRegressor

X = np.random.default_rng(0).standard_normal((12, 3))
Y = np.arange(12) % 3


def _with(value, row=5, column=1, dtype=float):
    x = X.astype(dtype)
    x[row, column] = value
    return x


FIT_CASES = {
    "NaN": ({"x": _with(np.nan)}, ValueError, r"x\[5, 1\] is NaN"),
    "infinite": ({"x": _with(-np.inf)}, ValueError, r"x\[5, 1\] is -inf"),
    "both infinities": ({"x": _with(np.inf, 6) + _with(-np.inf)}, ValueError, r"x\[5, 1\] is -inf"),
    "NaN, F order": ({"x": np.asfortranarray(_with(np.nan))}, ValueError, r"x\[5, 1\] is NaN"),
    "NaN, float16": ({"x": _with(np.nan, dtype=np.float16)}, ValueError, r"x\[5, 1\] is NaN"),
    "1-D": ({"x": X[:, 0]}, ValueError, r"x has shape \(12,\).*two-dimensional"),
    "3-D": ({"x": X[None]}, ValueError, r"x has shape \(1, 12, 3\)"),
    "lengths": ({"y": Y[:-1]}, ValueError, "y has 11 elements and x has 12 rows"),
    "no rows": ({"x": X[:0], "y": Y[:0]}, ValueError, r"x has shape \(0, 3\).*at least one"),
    "no columns": ({"x": X[:, :0]}, ValueError, r"x has shape \(12, 0\)"),
    "object": ({"x": X.astype(object)}, TypeError, "x has dtype object"),
    "string": ({"x": X.astype(str)}, TypeError, "x has dtype <U"),
    "complex": ({"x": X + 0j}, TypeError, "x has dtype complex128"),
    "date": ({"x": np.zeros((12, 3), "M8[s]")}, TypeError, "x has dtype datetime64"),
    "ragged": ({"x": [[1.0], [1.0, 2.0]]}, ValueError, "x is not allowed: .*rectangular"),
    "sparse": ({"x": sparse.csr_array(X)}, TypeError, r"x is a sparse csr_array.*x\.toarray\(\)"),
    "masked": ({"x": np.ma.masked_less(X, 0)}, ValueError, "x has masked elements"),
    "None": ({"x": None}, TypeError, "x has dtype object"),
    "negative label": ({"y": Y - 1}, ValueError, "y has the label -1: .*not be negative"),
    "float labels": ({"y": Y / 2}, TypeError, "y has dtype float64: labels must be integers"),
    "whole float labels": ({"y": Y.astype(float)}, TypeError, "y has dtype float64"),
    "bool labels": ({"y": Y > 0}, TypeError, "y has dtype bool"),
    "string labels": ({"y": Y.astype(str)}, TypeError, "y has dtype <U"),
    "one-hot labels": ({"y": np.eye(3)[Y]}, ValueError, r"y has shape \(12, 3\)"),
    "one class": ({"y": Y * 0}, ValueError, "largest label in y is 0, which makes 1 classes"),
    "huge label": ({"y": Y * 10**9}, ValueError, "largest label in y is 2000000000.*2 to 65536"),
    "65,537 classes": ({"y": Y * 32_768}, ValueError, "largest label in y is 65536"),
    "uint64 label": ({"y": Y.astype(np.uint64) << np.uint64(62)}, ValueError, "largest label in y"),
    "no batch": ({"batch_size": 0}, ValueError, "batch_size=0 .*integer of at least 1"),
    "large batch": ({"batch_size": 13}, ValueError, "batch_size=13 .*from 1 to 12"),
    "float batch": ({"batch_size": 4.0}, TypeError, "batch_size=4.0 .*integer"),
    "no epochs": ({"epochs": 0}, ValueError, "epochs=0 .*integer of at least 1"),
    "negative epochs": ({"epochs": -3}, ValueError, "epochs=-3"),
    "bool epochs": ({"epochs": True}, TypeError, "epochs=True"),
    "text epochs": ({"epochs": "ten"}, TypeError, "epochs='ten'"),
    "endless epochs": ({"epochs": 2**63}, ValueError, "epochs=9223372036854775808 .*to 922"),
    "huge patience": ({"early_stopping": -(2**70)}, ValueError, "early_stopping=-1180591"),
    "float patience": ({"early_stopping": 0.5}, TypeError, "early_stopping=0.5"),
    "bool patience": ({"early_stopping": True}, TypeError, "early_stopping=True"),
}


def _assert_refused(model, call, error, message, capsys):
    before = copy.deepcopy(vars(model))
    state = np.random.get_state()[1].copy()
    with pytest.raises(error, match=message):
        call()
    assert capsys.readouterr() == ("", "")
    assert vars(model).keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)
    np.testing.assert_array_equal(np.random.get_state()[1], state, err_msg="random numbers drawn")


@pytest.mark.parametrize("fitted", [False, True], ids=["unfitted", "fitted"])
@pytest.mark.parametrize("case", FIT_CASES)
def test_fit_refuses(case, fitted, capsys):
    changes, error, message = FIT_CASES[case]
    model = SoftmaxRegressor(0.5)
    if fitted:
        model.fit(X, Y, 2, 4)
        capsys.readouterr()
    arguments = {"x": X, "y": Y, "epochs": 2, "batch_size": 4, **changes}
    _assert_refused(model, lambda: model.fit(**arguments), error, message, capsys)


SETTINGS = {
    "zero rate": ("lr", "learning_rate", 0.0, ValueError, r"lr=0\.0 .*above 0"),
    "negative rate": ("lr", "learning_rate", -1, ValueError, "lr=-1 .*above 0"),
    "NaN rate": ("lr", "learning_rate", np.nan, ValueError, "lr=nan .*finite"),
    "infinite rate": ("lr", "learning_rate", np.inf, ValueError, "lr=inf .*finite"),
    "huge rate": ("lr", "learning_rate", 10**400, ValueError, "lr=1000000.*finite number"),
    "text rate": ("lr", "learning_rate", "0.5", TypeError, "lr='0.5'"),
    "bool rate": ("lr", "learning_rate", True, TypeError, "lr=True"),
    "array rate": ("lr", "learning_rate", np.array([0.5]), TypeError, "lr=array"),
    "gradient": ("gradient", "gradient", "right", ValueError, "gradient='right' .*'notebook' or"),
    "random_state": ("random_state", "random_state", "x", ValueError, "random_state='x'"),
    "negative seed": ("random_state", "random_state", -1, ValueError, "random_state=-1"),
    "float seed": ("random_state", "random_state", 1.0, ValueError, r"random_state=1\.0"),
    "verbose": ("verbose", "verbose", "yes", TypeError, "verbose='yes' .*True or False"),
    "dtype": ("dtype", "dtype", "float16", ValueError, "dtype='float16' .*'float64' or 'float32'"),
    "integer dtype": ("dtype", "dtype", int, ValueError, "dtype='int64'"),
    "no dtype": ("dtype", "dtype", 5, ValueError, "dtype=5"),
    "n_threads": ("n_threads", "n_threads", 0, ValueError, "n_threads=0 .*at least 1, or None"),
    "float n_threads": ("n_threads", "n_threads", 2.0, TypeError, r"n_threads=2\.0"),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_constructor_and_fit_refuse_settings(case, capsys):
    argument, attribute, value, error, message = SETTINGS[case]
    with pytest.raises(error, match=message):
        SoftmaxRegressor(**{"lr": 0.5, argument: value})
    model = SoftmaxRegressor(0.5)
    setattr(model, attribute, value)
    _assert_refused(model, lambda: model.fit(X, Y, 2, 4), error, message, capsys)


PREDICT_CASES = {
    "NaN": ({"x": _with(np.nan)}, ValueError, r"x\[5, 1\] is NaN"),
    "1-D": ({"x": X[0]}, ValueError, r"x has shape \(3,\)"),
    "empty": ({"x": X[:0]}, ValueError, r"x has shape \(0, 3\)"),
    "other columns": ({"x": X[:, :2]}, ValueError, "x has 2 columns: .*fitted with 3"),
    "object": ({"x": X.astype(object)}, TypeError, "x has dtype object"),
    "steps": ({"x": X, "steps": "all"}, TypeError, "steps='all'"),
}


@pytest.mark.parametrize("case", PREDICT_CASES)
def test_predict_refuses(case, capsys):
    arguments, error, message = PREDICT_CASES[case]
    model = SoftmaxRegressor(0.5, verbose=False).fit(X, Y, 2, 4)
    _assert_refused(model, lambda: model.predict(**arguments), error, message, capsys)


def test_predict_before_fit(capsys):
    model = SoftmaxRegressor(0.5)
    message = r"SoftmaxRegressor\(0\.5\) is not fitted: call fit"
    _assert_refused(model, lambda: model.predict(X), NotFittedError, message, capsys)


def test_number_too_large_for_float32_is_refused_before_it_becomes_infinite(capsys):
    model = SoftmaxRegressor(0.5, dtype="float32")
    message = r"x\[5, 1\] is 1e\+39: every element must be a finite float32"
    for x in (_with(1e39), _with(1e39).astype(np.longdouble)):
        _assert_refused(model, lambda x=x: model.fit(x, Y, 2, 4), ValueError, message, capsys)


@pytest.mark.parametrize("rate", [1e-60, 1e39])
def test_rate_that_float32_cannot_hold_is_refused(rate, capsys):
    message = f"lr={rate!r} is not allowed with dtype='float32'.* at most 3.4e".replace("+", r"\+")
    with pytest.raises(ValueError, match=message):
        SoftmaxRegressor(rate, dtype="float32")
    model = SoftmaxRegressor(rate)
    model.dtype = np.float32
    _assert_refused(model, lambda: model.fit(X, Y, 2, 4), ValueError, message, capsys)


@pytest.mark.parametrize(
    ("coeffs", "biases", "message"),
    [
        (np.zeros(3), np.zeros(3), r"coeffs has shape \(3,\): it must be two-dimensional"),
        (np.zeros((3, 3)), np.zeros(1), r"coeffs has shape \(3, 3\) and biases \(1,\)"),
        (np.zeros((3, 1)), np.zeros(1), "at least 2 classes"),
        (np.zeros((3, 3)), [0, np.nan, 0], r"biases\[0, 1\] is NaN"),
        (np.full((3, 3), np.inf), np.zeros(3), r"coeffs\[0, 0\] is inf"),
        (np.zeros((4, 3)), np.zeros(3), "x has 3 columns: the model was fitted with 4"),
    ],
)
def test_predict_refuses_unusable_parameters_that_the_user_sets(coeffs, biases, message, capsys):
    model = SoftmaxRegressor(0.5, verbose=False).fit(X, Y, 2, 4)
    model.coeffs, model.biases = coeffs, biases
    _assert_refused(model, lambda: model.predict(X), ValueError, message, capsys)


@pytest.mark.parametrize(
    "x",
    [
        1e-200 * X,
        1e200 * X,
        1e-200 * X[:, ::-1],
        pytest.param((1e-30 * X).astype(np.float32), marks=pytest.mark.full),
    ],
    ids=["tiny", "huge", "scattered", "tiny single"],
)
def test_floating_point_errors_that_the_user_asks_for_do_not_reach_the_checks(x):
    with np.errstate(all="raise"):
        model = SoftmaxRegressor(0.5, verbose=False, random_state=0).fit(x, Y, 2, 4)
        assert np.isfinite(model.predict(x)).all()


def test_finite_numbers_whose_sum_overflows_are_allowed():
    x = np.full((12, 3), np.finfo(float).max)
    x[::2] = -x[::2]
    model = SoftmaxRegressor(1e-300, verbose=False, random_state=0).fit(x, Y, 1, 4)
    assert np.isfinite(model.losses_).all()


def test_bad_element_far_down_a_large_array_is_found():
    x = np.zeros((70_000, 5))
    x[69_998, 3] = np.inf
    for array in (x, np.asfortranarray(x), x[:, ::-1][:, ::-1]):
        with pytest.raises(ValueError, match=r"x\[69998, 3\] is inf"):
            SoftmaxRegressor(0.5).fit(array, np.arange(70_000) % 2, 1, 10)
