"""Lazy data frames are refused by name, with what gives their rows."""

import copy

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV

X = np.random.default_rng(0).standard_normal((40, 3))
Y = (X[:, 0] > 0).astype(int)
WEIGHTS = np.ones(40)
FRAME = pl.DataFrame(X, schema=["a", "b", "c"])
LAZY = FRAME.lazy()

CLASSIFIERS = {
    "plain": SoftmaxClassifier(),
    "names": SoftmaxClassifier(),
    "sgd": SoftmaxClassifier(solver="sgd"),
    "categories": SoftmaxClassifier(categorical_features=["a"]),
    "search": SoftmaxClassifierCV(Cs=2, cv=2),
}


@pytest.fixture(params=CLASSIFIERS)
def fitted(request):
    classifier = copy.deepcopy(CLASSIFIERS[request.param])
    if request.param == "categories":
        return classifier.fit(FRAME.with_columns(pl.Series("a", Y)), Y)
    return classifier.fit(FRAME if request.param == "names" else X, Y)


def _calls(model):
    """Calls with a lazy argument each, and its name."""
    lazy_column = LAZY.select("a")
    yield "X", lambda: model.fit(LAZY, Y)
    yield "y", lambda: model.fit(FRAME, lazy_column)
    yield "sample_weight", lambda: model.fit(FRAME, Y, lazy_column)
    for name in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        yield "X", lambda name=name: getattr(model, name)(LAZY)
    yield "X", lambda: model.score(LAZY, Y)
    yield "y", lambda: model.score(FRAME, lazy_column)
    yield "sample_weight", lambda: model.score(FRAME, Y, lazy_column)
    if isinstance(model, SoftmaxClassifierCV):
        yield "groups", lambda: model.fit(FRAME, Y, groups=lazy_column)
        return
    yield "X", lambda: model.summary(LAZY, Y)
    yield "y", lambda: model.summary(FRAME, lazy_column)
    yield "sample_weight", lambda: model.summary(FRAME, Y, lazy_column)
    if model.solver == "sgd":
        yield "X", lambda: model.partial_fit(LAZY, Y)
        yield "y", lambda: model.partial_fit(X, lazy_column)
        yield "sample_weight", lambda: model.partial_fit(X, Y, sample_weight=lazy_column)
        yield "X", lambda: SoftmaxClassifier(solver="sgd").partial_fit(LAZY, Y, classes=[0, 1])
        yield "X_val", lambda: model.fit(X, Y, X_val=LAZY, y_val=Y)
        yield "y_val", lambda: model.fit(X, Y, X_val=X, y_val=lazy_column)
        held_out = {"X_val": X, "y_val": Y, "sample_weight_val": lazy_column}
        yield "sample_weight_val", lambda: model.fit(X, Y, **held_out)


def test_every_method_refuses_every_lazy_argument(fitted):
    before = {name: id(value) for name, value in vars(fitted).items()}
    for name, call in _calls(fitted):
        with pytest.raises(TypeError, match=rf"^{name} is a lazy polars LazyFrame.*{name}.collect"):
            call()
        assert {name: id(value) for name, value in vars(fitted).items()} == before


class ByAnyName:
    """As PySpark's frames: attributes of any name."""

    def __getattr__(self, name):
        return lambda: None


class OfSpark(ByAnyName):
    def toPandas(self):  # noqa: N802
        raise AssertionError

    collect = toPandas


class OfDuckDB:
    def to_df(self):
        raise AssertionError

    execute = to_df


class OfUnknown:
    def execute(self):
        raise AssertionError


PANDAS = pd.DataFrame(X, columns=["a", "b", "c"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (pyarrow.dataset.dataset(pa.table(PANDAS)), r"a lazy pyarrow InMem.*X\.to_table\(\)$"),
        (OfSpark(), r"lazy test_lazy_input OfSpark, .*give X\.toPandas\(\)$"),
        (OfDuckDB(), r"give X\.to_df\(\)$"),
        (OfUnknown(), "give an array$"),
    ],
)
def test_other_lazy_rows(rows, message):
    model = SoftmaxClassifier().fit(X, Y)
    for call in (lambda: model.predict_proba(rows), lambda: SoftmaxClassifier().fit(rows, Y)):
        with pytest.raises(TypeError, match=message):
            call()


def test_what_is_in_memory_is_taken():
    expected = SoftmaxClassifier().fit(X, Y).predict(X)
    for rows in (X.tolist(), PANDAS, FRAME, pa.table(PANDAS), np.asfortranarray(X)):
        labels = {"list": Y.tolist(), "Table": pa.array(Y)}.get(type(rows).__name__, pl.Series(Y))
        model = SoftmaxClassifier().fit(rows, labels)
        np.testing.assert_array_equal(model.predict(rows), expected)
        np.testing.assert_array_equal(SoftmaxClassifierCV(Cs=2, cv=2).fit(rows, Y).classes_, [0, 1])


@pytest.mark.parametrize(
    "rows", [da.from_array(X, 10), dd.from_pandas(PANDAS, npartitions=2)], ids=["array", "frame"]
)
def test_what_numpy_can_load_is_loaded(rows):
    model = SoftmaxClassifier().fit(np.asarray(X), Y)
    loaded = SoftmaxClassifier().fit(np.asarray(rows), Y)
    np.testing.assert_array_equal(SoftmaxClassifier().fit(rows, Y).coef_, loaded.coef_)
    np.testing.assert_array_equal(model.predict(X), loaded.predict(np.asarray(rows)))
