"""Columns of tables of users, of every kind and type."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline

from softreg_fast import SoftmaxClassifier

N_ROWS = 120
NUMBERS = np.random.default_rng(1).integers(0, 4, N_ROWS)
LETTERS = np.array(list("abcd"), object)[NUMBERS]
MISSING = np.arange(N_ROWS) % 9 == 0
LABELS = NUMBERS % 3
# Integers of which float64 makes one.
LARGE = 2**60 + NUMBERS


def _fit(frame, y=LABELS, **settings):
    return SoftmaxClassifier(**{"categorical_features": "from_dtype", **settings}).fit(frame, y)


def _columns(values, kind):
    """A column in each kind of frame, some of whose values may be None."""
    if kind == "pandas":
        return pd.DataFrame({"c": pd.Categorical(values)})
    if kind == "pandas string":
        return pd.DataFrame({"c": pd.Series(values, dtype="string").astype("category")})
    if kind == "polars":
        return pl.DataFrame({"c": pl.Series(list(values)).cast(pl.Categorical)})
    return pa.table({"c": pa.array(list(values)).dictionary_encode()})


def _with_missing(values):
    return [
        None if is_missing else value for value, is_missing in zip(values, MISSING, strict=True)
    ]


@pytest.mark.parametrize("kind", ["pandas", "pandas nullable", "polars"])
def test_large_integers_stay_apart_beside_missing_ones(kind):
    values = _with_missing(LARGE.tolist())
    frame, chosen = {
        "pandas": lambda: (_columns(values, "pandas"), "from_dtype"),
        "pandas nullable": lambda: (pd.DataFrame({"c": pd.array(values, "Int64")}), ["c"]),
        "polars": lambda: (pl.DataFrame({"c": values}), ["c"]),
    }[kind]()
    if kind == "pandas":
        frame["c"] = pd.Series(LARGE).astype("category").where(~MISSING)
    model = _fit(frame, categorical_features=chosen, C=100.0)
    assert model.categories_[0].tolist()[:-1] == [2**60 + number for number in range(4)]
    assert np.isnan(model.categories_[0][-1])
    assert model.score(frame[3:4], LABELS[3:4]) == 1.0
    assert np.abs(model.coef_).max(axis=0).min() > 0.1


@pytest.mark.parametrize("kind", ["pandas", "pandas string", "polars"])
def test_export_predicts_the_same_where_values_are_missing(kind):
    frame = _columns(_with_missing(LETTERS), kind)
    model = _fit(frame)
    assert model.coef_.shape == (3, 5)
    pipeline = model.to_sklearn()
    np.testing.assert_allclose(pipeline.predict_proba(frame), model.predict_proba(frame))
    assert pipeline[:-1].get_feature_names_out().tolist() == model.get_coefficient_names().tolist()


@pytest.mark.parametrize("names", [["num__a", "remainder"], [0, 1], [("a", 1), ("b", 2)]])
def test_export_takes_any_names_of_columns(names):
    frame = pd.concat([_columns(LETTERS, "pandas"), pd.DataFrame({"b": NUMBERS / 3.0})], axis=1)
    frame.columns = pd.MultiIndex.from_tuples(names) if isinstance(names[0], tuple) else names
    model = _fit(frame)
    pipeline = model.to_sklearn()
    assert isinstance(pipeline, Pipeline)
    np.testing.assert_allclose(pipeline.predict_proba(frame), model.predict_proba(frame))


def test_export_names_categories_that_scikit_learn_cannot_have():
    model = _fit(pd.DataFrame({"c": pd.Categorical([*([1, "a"] * (N_ROWS // 2))])}))
    with pytest.raises(ValueError, match=r"to_sklearn is not possible: .* categories of 'c'"):
        model.to_sklearn()


@pytest.mark.parametrize("index_type", [pa.uint8(), pa.int32()])
def test_dictionaries_may_hold_missing_and_repeated_values(index_type):
    indices = pa.array(_with_missing((np.arange(N_ROWS) % 5).tolist()), index_type)
    dictionary = pa.array(["x", None, "y", "x", "z"])
    column = pa.DictionaryArray.from_arrays(indices, dictionary)
    model = _fit(pa.table({"c": column}))
    assert model.categories_[0].tolist()[:-1] == ["x", "y", "z"]
    same = pd.DataFrame({"c": pd.Categorical(column.to_pylist())})
    np.testing.assert_array_equal(model.predict_proba(same), _fit(same).predict_proba(same))
    batch = pa.record_batch({"c": column})  # whose names scikit-learn doesn't know
    np.testing.assert_array_equal(_fit(batch).predict_proba(batch), model.predict_proba(same))
    numbers = pa.DictionaryArray.from_arrays(indices, pa.array([1.0, np.nan, 2.0, 1.0, 3.0]))
    other = _fit(pa.table({"c": numbers}))
    np.testing.assert_array_equal(other.coef_, model.coef_)
    np.testing.assert_array_equal(
        other.predict_proba(pa.table({"c": numbers})), model.predict_proba(same)
    )


def test_chunks_may_have_more_values_together_than_their_indices_can_name():
    chunks = [
        pa.DictionaryArray.from_arrays(
            pa.array(np.arange(100, dtype=np.int8)), pa.array([f"{part}{n}" for n in range(100)])
        )
        for part in "ab"
    ]
    frame = pa.table({"c": pa.chunked_array(chunks)})
    assert _fit(frame, np.arange(200) % 2).coef_.shape == (1, 200)


def test_dictionaries_of_what_is_not_hashable_are_named():
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 60), pa.array([[1], [2]]))
    with pytest.raises(TypeError, match=r"X\['c'\] has categories of type list.* hashable"):
        _fit(pa.table({"c": column}))


def test_dictionaries_in_pandas_are_categories():
    table = _columns(_with_missing(LETTERS), "Arrow")
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    np.testing.assert_array_equal(_fit(frame).coef_, _fit(table).coef_)


def test_type_of_enum_is_known_to_a_stream():
    frame = pl.DataFrame({"c": pl.Series(LETTERS.tolist(), dtype=pl.Enum(list("xabcd")))})
    model = SoftmaxClassifier(categorical_features="from_dtype", solver="sgd")
    model.partial_fit(frame[:10], LABELS[:10], classes=[0, 1, 2])
    assert model.categories_[0].tolist() == list("abcdx")


@pytest.mark.parametrize("unit", ["s", "us"])
def test_dates_of_any_resolution_are_the_same(unit):
    days = pd.Series(np.datetime64("2020-01-01", "ns") + NUMBERS * np.timedelta64(1, "D"))
    frame = pd.DataFrame({"c": days.astype("category").where(~MISSING)})
    other = pd.DataFrame({"c": days.astype(f"datetime64[{unit}]").astype("category")})
    model = _fit(frame)
    assert model.get_coefficient_names()[0] == "c_2020-01-01 00:00:00"
    kept = ~MISSING
    np.testing.assert_array_equal(
        model.predict_proba(other[kept]), model.predict_proba(frame[kept])
    )
    column = pa.array([datetime.datetime(2020, 1, 1)] * 3).dictionary_encode()
    np.testing.assert_array_equal(
        model.predict_proba(pa.table({"c": column})),
        model.predict_proba(frame[(NUMBERS == 0) & kept])[:3],
    )


def test_floating_point_numbers_that_are_no_single_integers_are_refused():
    X = np.array([[1e19], [2e19], [5.0]] * 10)
    with pytest.raises(ValueError, match=r"X\['x0'\] .* beyond 2\*\*53"):
        _fit(X, [0, 1, 0] * 10, categorical_features=[0])


def test_numbers_of_object_columns_are_numbers():
    X = np.stack([NUMBERS, NUMBERS / 7.0], axis=1)
    model = _fit(X, categorical_features=[0])
    of_objects = _fit(X.astype(object), categorical_features=[0])
    np.testing.assert_array_equal(of_objects.coef_, model.coef_)
    X = X.astype(object)
    X[4, 1] = None
    with pytest.raises(ValueError, match=r"X\['x1'\] is NaN in row 4"):
        model.predict(X)


@pytest.mark.parametrize("kind", ["pandas", "polars", "Arrow"])
def test_truth_values_may_be_missing(kind):
    values = _with_missing((NUMBERS > 1).tolist())
    frame = {
        "pandas": lambda: pd.DataFrame({"c": pd.array(values, "boolean")}),
        "polars": lambda: pl.DataFrame({"c": values}),
        "Arrow": lambda: pa.table({"c": values}),
    }[kind]()
    model = _fit(frame, categorical_features=["c"])
    assert model.categories_[0].tolist()[:2] == [False, True]
    assert model.coef_.shape == (3, 3)


def test_only_strings_are_said_to_be_categories():
    for column, has_hint in [(LETTERS, True), (pd.to_datetime(NUMBERS), False)]:
        with pytest.raises(TypeError, match=r"columns must hold real numbers") as found:
            _fit(pd.DataFrame({"c": column, "d": _columns(LETTERS, "pandas")["c"]}))
        assert ("astype('category')" in str(found.value)) == has_hint


def test_rows_after_a_fit_are_checked_as_those_of_it():
    frame = _columns(LETTERS, "pandas").assign(b=1.0 * NUMBERS)
    model = _fit(frame)
    array = _fit(np.stack([NUMBERS, NUMBERS], axis=1), categorical_features=[0])
    for call in (model.predict, model.predict_proba, lambda X: model.summary(X, LABELS[:0])):
        with pytest.raises(ValueError, match=r"X has shape \(0, 2\)"):
            call(frame[:0])
    for wrong, error, message in [
        (np.zeros((3, 2, 2)), ValueError, "X has shape|Found array"),
        (np.zeros((3, 3)), ValueError, "3 features"),
        (frame["b"], ValueError, "does not contain any features"),
    ]:
        with pytest.raises(error, match=message):
            array.predict(wrong)
    for rows, message in [
        (np.zeros((3, 3)), "X_val has 3 columns"),
        (np.zeros(3), "X_val has shape"),
    ]:
        with pytest.raises(ValueError, match=message):
            array.set_params(solver="sgd").fit(
                np.stack([NUMBERS, NUMBERS], axis=1), LABELS, X_val=rows, y_val=LABELS[:3]
            )
    stream = SoftmaxClassifier(categorical_features="from_dtype", solver="sgd")
    stream.partial_fit(frame, LABELS, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"X has shape \(0, 2\)"):
        stream.partial_fit(frame[:0], LABELS[:0])
    warm = _fit(frame, warm_start=True)
    with pytest.raises(
        ValueError, match="X has 1 columns: with warm_start=True it must have the 2"
    ):
        warm.fit(frame[["c"]], LABELS)


def test_columns_cannot_become_categories_in_a_stream():
    frame = _columns(LETTERS, "pandas").assign(b=1.0 * NUMBERS)
    for before, after, rows in [(None, "from_dtype", frame[["b"]]), ("from_dtype", None, frame)]:
        model = SoftmaxClassifier(categorical_features=before, solver="sgd").fit(rows, LABELS)
        coef = model.coef_.copy()
        model.set_params(categorical_features=after)
        with pytest.raises(ValueError, match=f"categorical_features={after!r} is not what"):
            model.partial_fit(rows, LABELS)
        np.testing.assert_array_equal(model.coef_, coef)
