"""Models converted to ONNX: the same probabilities and labels under onnxruntime."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import softreg_fast
from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV
from softreg_fast.onnx import register


def _convert(model, X, **options):
    from skl2onnx import to_onnx

    return to_onnx(model, X[:1], options={"zipmap": False, **options})


def _run(converted, X):
    import onnxruntime

    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.fixture
def rows(make_data):
    return make_data(100, 4, 3)


LABELS = {
    "ints": [5, -2, 2**40],
    "strings": ["it's", "é", ""],
    "objects": np.array(["b", "a", "c"], object),
    "bytes": np.array([3, 1, 2], np.uint8),
}


@pytest.mark.full
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_and_labels(rows, labels, activation, n_classes, dtype):
    register()
    X, y = rows
    y = np.asarray(labels)[np.minimum(y, n_classes - 1)]
    model = SoftmaxClassifier(activation=activation, max_iter=5_000).fit(X, y)
    X = X.astype(dtype)
    found, probabilities = _run(_convert(model, X), X)
    assert probabilities.dtype == dtype
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=tolerance)
    assert found.tolist() == model.predict(X).tolist()
    assert found.ndim == 1
    assert found.dtype == (np.int64 if y.dtype.kind in "iu" else object)


@pytest.mark.full
@pytest.mark.parametrize("kind", [np.int64, np.bool_])
def test_features_that_are_not_floating_point(rows, kind):
    register()
    X, y = rows
    X = (X > 0).astype(kind)
    model = SoftmaxClassifier().fit(X, y > 0)
    found, probabilities = _run(_convert(model, X), X)
    np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-6)
    assert found.tolist() == model.predict(X).astype(int).tolist()


@pytest.mark.full
def test_options(rows):
    register()
    X, y = rows
    X = X.astype(np.float32)
    for n_classes, activation in [(3, "identity"), (2, "identity"), (3, "sigmoid")]:
        labels = np.array(["a", "b", "c"])[np.minimum(y, n_classes - 1)]
        model = SoftmaxClassifier(activation=activation, max_iter=5_000).fit(X, labels)
        expected = model.predict_proba(X)
        found, results = _run(_convert(model, X, zipmap=True), X)
        assert [sorted(each) for each in results] == [list("abc"[:n_classes])] * len(X)
        values = [list(each.values()) for each in results]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6)
        outputs = _run(_convert(model, X, zipmap="columns"), X)
        np.testing.assert_allclose(np.stack(outputs[1:], axis=1), expected, rtol=0, atol=1e-6)
        found, results = _run(_convert(model, X, nocl=True), X)
        assert found.tolist() == np.searchsorted(model.classes_, model.predict(X)).tolist()
        *_, classes = _run(_convert(model, X, output_class_labels=True), X)
        assert classes.tolist() == model.classes_.tolist()
        found, scores = _run(_convert(model, X, raw_scores=True), X)
        decisions = model.decision_function(X)
        if n_classes == 2:
            decisions = np.stack([-decisions, decisions], axis=1)
        np.testing.assert_allclose(scores, decisions, rtol=1e-5, atol=1e-5)
        assert found.tolist() == model.predict(X).tolist()
        with pytest.raises(NameError, match="nonsense"):
            _convert(model, X, nonsense=True)


@pytest.mark.full
def test_agrees_with_the_converter_of_scikit_learns_model(rows):
    register()
    X, y = rows
    X = X.astype(np.float32)
    for labels in (y, y > 0):
        model = SoftmaxClassifier().fit(X, labels)
        for options in ({}, {"raw_scores": True}):
            ours = _run(_convert(model, X, **options), X)
            others = _run(_convert(model.to_sklearn(), X, **options), X)
            assert ours[0].tolist() == others[0].tolist()
            np.testing.assert_allclose(ours[1], others[1], rtol=1e-5, atol=1e-6)


@pytest.mark.full
def test_pipelines_and_searches(rows):
    register()
    X, y = rows
    X = X.astype(np.float32)
    scaled = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")
    for model in (
        SoftmaxClassifierCV(Cs=2),
        make_pipeline(StandardScaler(), SoftmaxClassifier()),
        make_pipeline(scaled, make_pipeline(StandardScaler(), SoftmaxClassifierCV(Cs=2))),
    ):
        model.fit(X, y)
        converted = _convert(model, X)
        found, probabilities = _run(converted, X)
        np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-6)
        assert found.tolist() == model.predict(X).tolist()
        assert _run(converted, X[:1])[1].shape == (1, 3)


@pytest.mark.full
def test_large_logits_and_ties(rows):
    register()
    X, y = rows
    X = np.concatenate([X.astype(np.float32), np.zeros((1, 4), np.float32)])
    for labels in (y, y > 0):
        model = SoftmaxClassifier(fit_intercept=False).fit(X[:-1], labels)
        for scale in (1.0, 1e4):
            model.coef_ = model.coef_ * scale
            found, probabilities = _run(_convert(model, X), X)
            assert np.isfinite(probabilities).all()
            np.testing.assert_allclose(probabilities[-1], 1 / len(model.classes_), rtol=1e-6)
            assert found[-1] == model.predict(X[-1:])[0]


@pytest.mark.full
def test_older_operator_sets(rows):
    from skl2onnx import to_onnx

    register()
    X, y = rows
    X = X.astype(np.float32)
    model = SoftmaxClassifier().fit(X, y)
    for opset in (11, 12, 13, 18):
        converted = to_onnx(model, X[:1], options={"zipmap": False}, target_opset=opset)
        _, probabilities = _run(converted, X)
        np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.full
def test_categories_are_refused_with_a_hint(rows):
    register()
    X, y = rows
    frame = pandas.DataFrame({"a": pandas.Categorical(["x", "y"] * 50), "b": X[:, 0]})
    model = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, y)
    with pytest.raises(ValueError, match=r"categorical_features='from_dtype'.*to_sklearn\(\)"):
        _convert(model, X.astype(np.float32))


@pytest.mark.full
def test_coefficients_that_are_not_finite_are_refused(rows):
    register()
    model = SoftmaxClassifier().fit(*rows)
    model.coef_ = np.full((3, 4), 1e300)
    with pytest.raises(ValueError, match="not finite in float32"):
        _convert(model, rows[0].astype(np.float32))
    _convert(model, rows[0])


@pytest.mark.full
def test_activations_without_a_formula_are_refused(rows, monkeypatch):
    register()
    model = SoftmaxClassifier(activation="sigmoid", max_iter=5_000).fit(*rows)
    monkeypatch.setattr("softreg_fast.inference.onnx_converter.NOTEBOOK_ACTIVATION", "other")
    with pytest.raises(ValueError, match="activation='sigmoid' can't be converted"):
        _convert(model, rows[0])


_IN_A_PROCESS = """
import numpy as np
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)
X = X.astype(np.float32)

def converts(model):
    from skl2onnx import to_onnx
    try:
        to_onnx(model, X[:1], options={"zipmap": False})
    except Exception:
        return False
    return True
"""


def _in_a_process(code):
    root = str(Path(softreg_fast.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", _IN_A_PROCESS + code], check=True, env=environment)


@pytest.mark.full
def test_a_fit_registers_its_class_where_skl2onnx_is_imported():
    _in_a_process("""
import skl2onnx
from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

class Own(SoftmaxClassifier):
    pass

assert converts(SoftmaxClassifier().fit(X, y))
assert converts(SoftmaxClassifierCV(Cs=2).fit(X, y))
assert converts(SoftmaxClassifier(solver="sgd").partial_fit(X, y, classes=[0, 1, 2]))
assert converts(Own().fit(X, y))
""")


@pytest.mark.full
def test_fits_before_skl2onnx_is_imported_need_register():
    _in_a_process("""
import sys
from softreg_fast import SoftmaxClassifier
model = SoftmaxClassifier().fit(X, y)
assert "skl2onnx" not in sys.modules
assert not converts(model)
from softreg_fast.onnx import register
register()
register()
assert converts(model)
""")


@pytest.mark.full
def test_a_converter_of_users_stays():
    _in_a_process("""
from skl2onnx import update_registered_converter
from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes
from softreg_fast import SoftmaxClassifier

def convert(scope, operator, container):
    raise NotImplementedError

update_registered_converter(
    SoftmaxClassifier, "Own", calculate_linear_classifier_output_shapes, convert,
    options={"zipmap": [True, False]},
)
assert not converts(SoftmaxClassifier().fit(X, y))
""")


def test_without_skl2onnx(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"requires skl2onnx.*softreg-fast\[onnx\]"):
        register()
    SoftmaxClassifier().fit(*rows)
    with pytest.raises(ImportError):
        _convert(LogisticRegression(), rows[0])
