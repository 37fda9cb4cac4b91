"""Models in other languages: the same probabilities and labels, without this package."""

import copy
import ctypes
import json
import math
import shutil
import sqlite3
import subprocess
import sys

import duckdb
import numpy as np
import pandas
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from softreg_fast import SoftmaxClassifier, SoftmaxClassifierCV, SoftmaxRegressor
from softreg_fast.export import to_c, to_json, to_python, to_sklearn, to_sql

ACTIVATIONS = ("identity", "sigmoid")
NAMES = ["a b", 'say "x"', "line\nend'; --", "é😀\\ */ ??/ {0} %s"]
COMPILER = shutil.which("cc")


@pytest.fixture
def rows(make_data):
    return make_data(60, 4, 3)


def _fit(rows, n_classes=3, activation="identity", labels=None):
    X, y = rows
    y = np.minimum(y, n_classes - 1)
    y = y if labels is None else np.array(labels)[y]
    frame = pandas.DataFrame(X, columns=NAMES)
    return SoftmaxClassifier(activation=activation, max_iter=5_000).fit(frame, y), frame


def _categories():
    """Columns of all kinds, some rows of which are of categories that fit has not seen."""
    random = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "it's": pandas.Categorical(random.choice(["x'", 'y"', "z\n", "é"], 80)),
            "number": random.standard_normal(80),
            "gaps": pandas.Categorical(random.choice(["u", "v", None], 80)),
            "count": pandas.Categorical(random.choice([1, 2, 30], 80)),
            "flag": pandas.Categorical(random.choice([True, False], 80)),
        }
    )
    y = random.integers(0, 3, 80)
    model = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, y)
    return model, frame


def _known(value, missing=None):
    return missing if pandas.isna(value) else value


def _rows_of(frame):
    columns = [map(_known, frame[name].tolist()) for name in frame]
    return [list(row) for row in zip(*columns, strict=True)]


def _agree(found, expected):
    np.testing.assert_allclose(np.array(found, float), expected, rtol=1e-12, atol=1e-14)


# Python


def _run_python(model, name="predict_proba"):
    text = to_python(model, name)
    assert text.isascii()
    assert "softreg_fast" not in text.replace("fitted by softreg_fast", "")
    names = {}
    exec(compile(text, "exported", "exec"), names)
    return names


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_python(rows, n_classes, activation):
    model, frame = _fit(rows, n_classes, activation, ["it's", "x\n", "é"])
    names = _run_python(model)
    _agree(list(map(names["predict_proba"], frame.to_numpy())), model.predict_proba(frame))
    mappings = frame.to_dict("records")
    _agree(list(map(names["predict_proba"], mappings)), model.predict_proba(frame))
    assert list(map(names["predict_proba_label"], mappings)) == model.predict(frame).tolist()
    assert names["predict_proba_features"] == NAMES
    assert names["predict_proba_classes"] == model.classes_.tolist()


def test_python_with_categories():
    model, frame = _categories()
    names = _run_python(model, "f")
    _agree(list(map(names["f"], _rows_of(frame))), model.predict_proba(frame))
    other = frame.assign(gaps=pandas.Categorical(["new", None] * 40))
    with pytest.warns(UserWarning, match="has not seen"):
        expected = model.predict_proba(other)
    _agree(list(map(names["f"], _rows_of(other))), expected)
    records = [dict(zip(frame, row, strict=True)) for row in _rows_of(other)]
    _agree(list(map(names["f"], records)), expected)


def test_python_refuses_rows_that_the_model_would_refuse(rows):
    names = _run_python(SoftmaxClassifier().fit(*rows))
    f = names["predict_proba"]
    for row, words in [
        ([1, 2, 3], "3 values: it must have 4"),
        ([1, math.nan, 3, 4], "'x1' is nan"),
        ([1, None, 3, 4], "'x1' is nan"),
        ([1, 2, 3, -math.inf], "'x3' is -inf"),
        ([1e308] * 4, "too large"),
    ]:
        with pytest.raises(ValueError, match=words):
            f(row)
        with pytest.raises(ValueError, match=words):
            names["predict_proba_label"](row)
    with pytest.raises(TypeError, match="'x0' is '1'"):
        f(["1", 2, 3, 4])
    with pytest.raises(KeyError):
        f({"x0": 1})
    assert f([1e300, 0, 0, 0])[0] in (0.0, 1.0)


def test_python_runs_by_itself(rows, tmp_path):
    model, _ = _fit(rows, 3, "sigmoid")
    (tmp_path / "exported.py").write_text(to_python(model), encoding="ascii")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import exported\n"
        "print(repr(exported.predict_proba([1.0, 2.0, 3.0, -4.0])))\n"
        "assert not {'numpy', 'softreg_fast', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    row = pandas.DataFrame([[1.0, 2.0, 3.0, -4.0]], columns=NAMES)
    _agree([json.loads(done.stdout)], model.predict_proba(row))


@pytest.mark.parametrize("name", ["", "a b", "class", "_x", "é", "x;import os", None, 3, "None"])
def test_python_names_are_names(rows, name):
    with pytest.raises(ValueError, match="function_name="):
        to_python(SoftmaxClassifier().fit(*rows), name)


# C


@pytest.fixture
def compile_c(tmp_path):
    def compile_source(text, n_classes, prefix="softreg"):
        assert text.isascii()
        source, library = tmp_path / "model.c", tmp_path / "model.so"
        source.write_text(text)
        flags = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-shared", "-fPIC"]
        subprocess.run(
            [COMPILER, *flags, "-o", str(library), str(source), "-lm"], check=True, timeout=100
        )
        loaded = ctypes.CDLL(str(library))

        def predict(rows):
            found, labels = [], []
            for row in np.asarray(rows, float):
                x, p = (ctypes.c_double * len(row))(*row), (ctypes.c_double * n_classes)()
                getattr(loaded, f"{prefix}_predict_proba")(x, p)
                found.append(list(p))
                labels.append(getattr(loaded, f"{prefix}_predict")(x))
            return np.array(found), labels

        return loaded, predict

    return compile_source


@pytest.mark.runs_if(COMPILER)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_c(rows, compile_c, n_classes, activation):
    labels = ["it's", 'x"\n\\', "é😀??/"]
    model, frame = _fit(rows, n_classes, activation, labels)
    loaded, predict = compile_c(to_c(model), n_classes)
    found, numbers = predict(frame)
    _agree(found, model.predict_proba(frame))
    assert model.classes_[numbers].tolist() == model.predict(frame).tolist()
    for name, texts in [("softreg_classes", model.classes_), ("softreg_features", NAMES)]:
        strings = (ctypes.c_char_p * len(texts)).in_dll(loaded, name)
        assert [each.decode() for each in strings] == list(texts)
    for wrong in (np.nan, np.inf, -np.inf):
        found, numbers = predict([[0, wrong, 0, 0], [0, 0, 0, 0]])
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()
        assert numbers[0] == -1
    found, _ = predict([[1e300, 0, 0, 0]])
    assert np.isfinite(found).all()


@pytest.mark.runs_if(COMPILER)
def test_c_with_categories(compile_c):
    model, frame = _categories()
    loaded, predict = compile_c(to_c(model, "other"), 3, "other")
    codes = frame.copy()
    for name, categories in zip(["it's", "gaps", "count", "flag"], model.categories_, strict=True):
        values = [_known(value, "(missing)") for value in categories.tolist()]
        place = list(frame).index(name)
        strings = (ctypes.c_char_p * len(values)).in_dll(loaded, f"other_categories_{place}")
        assert [each.decode() for each in strings] == list(map(str, values))
        given = [_known(value, "(missing)") for value in frame[name].tolist()]
        codes[name] = [values.index(value) for value in given]
    _agree(predict(codes)[0], model.predict_proba(frame))
    unseen = codes.assign(count=[-1, 3, 0.5, np.nan] * 20)
    other = frame.assign(count=pandas.Categorical([77] * 80))
    with pytest.warns(UserWarning, match="has not seen"):
        _agree(predict(unseen)[0], model.predict_proba(other))


@pytest.mark.parametrize("prefix", ["", "1a", "a-b", "é", None, "a\n"])
def test_c_names_are_names(rows, prefix):
    with pytest.raises(ValueError, match="prefix="):
        to_c(SoftmaxClassifier().fit(*rows), prefix)


# JSON


def _by_json(text, row):
    """What the documentation says."""
    known = json.loads(text)
    values = list(known["intercepts"])
    for feature, value in zip(known["features"], row, strict=True):
        if feature["kind"] == "number":
            own = [each * value for each in feature["coefficients"]]
        elif value in feature["categories"]:
            own = feature["coefficients"][feature["categories"].index(value)]
        else:
            own = [0.0] * len(values)
        values = [one + other for one, other in zip(values, own, strict=True)]
    if known["activation"] == "sigmoid":
        values = [1 / (1 + math.exp(-value)) for value in values]
    total = sum(map(math.exp, values))
    return [math.exp(value) / total for value in values]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_json(rows, n_classes, activation):
    model, frame = _fit(rows, n_classes, activation, [1.0, -2.0, 7.0])
    text = to_json(model)
    _agree([_by_json(text, row) for row in frame.to_numpy()], model.predict_proba(frame))
    assert json.loads(text)["classes"] == model.classes_.tolist()
    assert [each["name"] for each in json.loads(text)["features"]] == NAMES


def test_json_with_categories():
    model, frame = _categories()
    text = to_json(model)
    _agree([_by_json(text, row) for row in _rows_of(frame)], model.predict_proba(frame))


# SQL


def _in_sqlite(frame, statement, table="main"):
    connection = sqlite3.connect(":memory:")
    columns = ", ".join('"' + name.replace('"', '""') + '"' for name in frame)
    connection.execute(f'CREATE TABLE "{table}" ({columns})')
    marks = ", ".join("?" * frame.shape[1])
    connection.executemany(f'INSERT INTO "{table}" VALUES ({marks})', _rows_of(frame))
    found = connection.execute(statement)
    rows, names = found.fetchall(), [each[0] for each in found.description]
    connection.close()
    return pandas.DataFrame(rows, columns=names)


def _in_duckdb(frame, statement, table="main"):
    connection = duckdb.connect()
    connection.register(table, frame)
    found = connection.execute(statement)
    result = pandas.DataFrame(found.fetchall(), columns=[each[0] for each in found.description])
    connection.close()
    return result


DATABASES = {"sqlite": _in_sqlite, "duckdb": _in_duckdb}


@pytest.mark.parametrize("dialect", DATABASES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sql(rows, n_classes, activation, dialect):
    model, frame = _fit(rows, n_classes, activation, ["it's", 'x"', "é\n"])
    named = frame.assign(**{'key"': range(100, 160)})
    statement = to_sql(model, "my main", dialect, keep=['key"'])
    found = DATABASES[dialect](named, statement, "my main").sort_values('key"')
    names = [f"p_{label}" for label in model.classes_]
    assert list(found) == ['key"', *names, "label"]
    assert found['key"'].tolist() == list(range(100, 160))
    _agree(found[names], model.predict_proba(frame))
    assert found["label"].tolist() == model.predict(frame).tolist()


@pytest.mark.parametrize("dialect", DATABASES)
def test_sql_with_categories(dialect):
    model, frame = _categories()
    frame["key"] = range(80)
    statement = to_sql(model, "main", dialect, keep=["key"])
    plain = frame.astype({"it's": object, "gaps": object, "count": int, "flag": bool})
    plain["gaps"] = plain["gaps"].replace({np.nan: None})
    found = DATABASES[dialect](plain, statement).sort_values("key")
    _agree(found[["p_0", "p_1", "p_2"]], model.predict_proba(frame.drop(columns="key")))
    other = plain.assign(gaps=["new"] * 80)
    found = DATABASES[dialect](other, statement).sort_values("key")
    with pytest.warns(UserWarning, match="has not seen"):
        expected = model.predict_proba(
            frame.drop(columns="key").assign(gaps=pandas.Categorical(["new"] * 80))
        )
    _agree(found[["p_0", "p_1", "p_2"]], expected)


@pytest.mark.parametrize("dialect", DATABASES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_sql_of_rows_that_the_model_would_refuse(rows, dialect, n_classes):
    X, y = rows
    model = SoftmaxClassifier().fit(X, np.minimum(y, n_classes - 1))
    frame = pandas.DataFrame(
        {
            "x0": [0.0, np.nan, np.inf, -np.inf, 1e300],
            **{name: [0.0] * 5 for name in ("x1", "x2", "x3")},
            "key": range(5),
        }
    )
    statement = to_sql(model, "main", dialect, keep=["key"])
    found = DATABASES[dialect](frame, statement).sort_values("key").drop(columns="key")
    assert found.iloc[1:4].isna().all(axis=None)
    _agree(
        found.iloc[[0, 4]].drop(columns="label"),
        model.predict_proba(frame.iloc[[0, 4]].drop(columns="key").to_numpy()),
    )


def test_sqlite_does_not_take_text_for_numbers_or_names_for_text(rows):
    model = SoftmaxClassifier().fit(*rows)
    frame = pandas.DataFrame({f"x{place}": ["1.0", "x"] for place in range(4)})
    assert _in_sqlite(frame, to_sql(model, "main")).isna().all(axis=None)
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        _in_sqlite(frame[["x0", "x1", "x2"]], to_sql(model, "main"))


@pytest.mark.parametrize("dialect", DATABASES)
def test_sql_of_columns_that_are_called_as_booleans(dialect):
    random = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "True": random.standard_normal(60),
            "FALSE": random.standard_normal(60),
            "flag": pandas.Categorical(random.choice([True, False], 60)),
        }
    )
    y = frame["flag"].to_numpy(bool) ^ (random.random(60) < 0.2)
    model = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, y)
    found = DATABASES[dialect](frame, to_sql(model, "main", dialect))
    _agree(found.iloc[:, :2], model.predict_proba(frame))
    assert found["label"].tolist() == model.predict(frame).tolist()


@pytest.mark.parametrize("dialect", DATABASES)
def test_sql_of_other_names_and_labels(rows, dialect):
    X, y = rows
    labels = np.array(["A", "a", "a_1"])[y]
    model = SoftmaxClassifier().fit(X, labels)
    frame = pandas.DataFrame(X, columns=["k0", "z1", "total", "own"])
    table = "Softreg_logits"  # as a step of the statement might be called
    statement = to_sql(model, ["main", table], dialect, features=list(frame), keep=["z1", "k0"])
    found = DATABASES[dialect](frame, statement, table)
    assert list(found) == ["z1", "k0", "p_A", "p_a_1", "p_a_1_2", "label"]
    found = found.set_index("z1").loc[frame["z1"]]
    _agree(found[["p_A", "p_a_1", "p_a_1_2"]], model.predict_proba(X))


@pytest.mark.parametrize("dialect", DATABASES)
def test_sql_keeps_columns_that_are_named_as_its_own(rows, dialect):
    X, y = rows
    model = SoftmaxClassifier().fit(X, y)
    frame = pandas.DataFrame(X, columns=[f"x{place}" for place in range(4)])
    frame = frame.assign(Label=y, p_1="kept")
    found = DATABASES[dialect](frame, to_sql(model, "main", dialect, keep=["x0", "Label", "p_1"]))
    assert list(found) == ["x0", "Label", "p_1", "p_0", "p_1_1", "p_2", "label_predicted"]
    found = found.set_index("x0").loc[frame["x0"]]
    assert found["Label"].tolist() == y.tolist()
    assert found["label_predicted"].tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("dialect", DATABASES)
@pytest.mark.parametrize(
    "labels", [[True, False, True], [-3, 2**40, 0], [0.5, 1e300, -7.0], ["", "NULL", "x"]]
)
def test_sql_of_labels(rows, dialect, labels):
    X, y = rows
    model = SoftmaxClassifier().fit(X, y)
    if isinstance(labels[0], bool):
        model = SoftmaxClassifier().fit(X, y > 0)
    else:
        model.classes_ = np.array(labels)
    frame = pandas.DataFrame(X, columns=[f"x{place}" for place in range(4)])
    found = DATABASES[dialect](frame, to_sql(model, "main", dialect, keep=["x0"]))
    found = found.set_index("x0").loc[frame["x0"]]
    assert found["label"].tolist() == model.predict(X).tolist()


@pytest.mark.full
@pytest.mark.parametrize("dialect", DATABASES)
def test_sql_of_many_features_and_classes(dialect):
    random = np.random.default_rng(0)
    for n_features, n_classes in [(1_500, 3), (2, 300)]:
        model = SoftmaxClassifier()
        X = random.standard_normal((20, n_features))
        coef = random.standard_normal((n_classes, n_features))
        model.classes_, model.coef_ = np.arange(n_classes), coef
        model.intercept_, model.activation_ = np.zeros(n_classes), "identity"
        model.n_features_in_ = n_features
        frame = pandas.DataFrame(X, columns=[f"x{place}" for place in range(n_features)])
        found = DATABASES[dialect](frame, to_sql(model, "main", dialect, keep=["x0"]))
        found = found.set_index("x0").loc[frame["x0"]]
        np.testing.assert_allclose(
            found.iloc[:, :-1].to_numpy(float), model.predict_proba(X), rtol=0, atol=1e-12
        )


def test_sql_refuses_names_that_are_none(rows):
    model = SoftmaxClassifier().fit(*rows)
    for kind, words, arguments in [
        (ValueError, "dialect='mysql' is not allowed", {"dialect": "mysql"}),
        (ValueError, "3 names: it must have 4", {"features": ["a", "b", "c"]}),
        (ValueError, "'a' and 'A', which are one name", {"features": ["a", "b", "c", "A"]}),
        (ValueError, "'a' and 'a', which are one name", {"keep": ["a", "a"]}),
        (TypeError, "features='abcd'", {"features": "abcd"}),
        (TypeError, "features has 1", {"features": [1, 2, 3, 4]}),
        (TypeError, "keep has ''", {"keep": [""]}),
        (ValueError, "no zero character", {"keep": ["a\0"]}),
        (ValueError, "no text in SQL", {"keep": ["\ud800"]}),
        (TypeError, "table has ''", {"table": ""}),
        (TypeError, "table has 3", {"table": ["a", 3]}),
        (TypeError, "table=3 is not allowed", {"table": 3}),
        (TypeError, r"table=\[\] is not allowed", {"table": []}),
    ]:
        with pytest.raises(kind, match=words):
            to_sql(model, **{"table": "main", **arguments})


# All of them


EXPORTS = {
    "python": to_python,
    "c": to_c,
    "json": to_json,
    "sql": lambda model: to_sql(model, "main"),
}


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_what_can_not_be_exported_is_refused_by_name(rows, export):
    with pytest.raises(NotFittedError):
        export(SoftmaxClassifier())
    with pytest.raises(NotFittedError):
        export(SoftmaxRegressor(0.1))
    with pytest.raises(TypeError, match="model is a LogisticRegression: it must be"):
        export(LogisticRegression())
    model = SoftmaxClassifier().fit(*rows)
    before = copy.deepcopy(vars(model))
    export(model)
    assert str(vars(model)) == str(before)
    model.coef_ = np.full((3, 4), np.nan)
    with pytest.raises(ValueError, match="not finite"):
        export(model)
    model = SoftmaxClassifier().fit(*rows)
    model.classes_ = np.array([b"a", b"b", b"c"])
    with pytest.raises(ValueError, match="label b'a'"):
        export(model)
    model, frame = _categories()
    frame["flag"] = pandas.Categorical(pandas.to_datetime(["2020-01-01", "2021-01-01"] * 40))
    model.fit(frame, [0, 1, 2, 1] * 20)
    with pytest.raises(ValueError, match="category of 'flag' Timestamp"):
        export(model)


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_activations_without_a_formula_are_refused(rows, export, monkeypatch):
    model, _ = _fit(rows, 3, "sigmoid")
    export(model)
    monkeypatch.setattr("softreg_fast.export.linear_model.NOTEBOOK_ACTIVATION", "other")
    with pytest.raises(ValueError, match="activation='sigmoid' can't be exported"):
        export(model)


def test_other_models(rows):
    X, y = rows
    model = SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(X, y, 5, 10)
    _agree(list(map(_run_python(model)["predict_proba"], X)), model.predict(X))
    model = SoftmaxClassifierCV(Cs=2).fit(X, y)
    _agree(list(map(_run_python(model)["predict_proba"], X)), model.predict_proba(X))
    model = SoftmaxClassifier().fit(X, y)
    model.coef_ = model.coef_.astype(np.float32)
    _agree(list(map(_run_python(model)["predict_proba"], X)), model.predict_proba(X))


# scikit-learn


def test_pipelines_without_this_package(rows):
    X, y = rows
    inner = make_pipeline(StandardScaler(), SoftmaxClassifier())
    scaled = make_column_transformer((StandardScaler(), [0, 1]), remainder="passthrough")
    for model in (
        SoftmaxClassifier(),
        inner,
        Pipeline([("scale", scaled), ("inner", inner)]),
        make_pipeline(StandardScaler(), SoftmaxClassifierCV(Cs=2)),
    ):
        model.fit(X, y)
        last = model
        while isinstance(last, Pipeline):
            last = last[-1]
        given = to_sklearn(model)
        np.testing.assert_allclose(given.predict_proba(X), model.predict_proba(X), atol=1e-14)
        assert type(given) is (Pipeline if isinstance(model, Pipeline) else LogisticRegression)
        assert "Softmax" not in repr(given)
        before = model
        while isinstance(before, Pipeline):
            assert list(given.named_steps) == list(before.named_steps)
            assert given is not before
            before, given = before[-1], given[-1]
        assert type(given) is LogisticRegression
        assert before is last
        assert type(last).__name__.startswith("Softmax")


def test_searches_and_calibration_without_this_package(rows):
    X, y = rows
    pipeline = make_pipeline(StandardScaler(), SoftmaxClassifier())
    search = GridSearchCV(pipeline, {"softmaxclassifier__C": [0.1, 1.0]}, cv=2).fit(X, y)
    given = to_sklearn(search)
    np.testing.assert_allclose(given.predict_proba(X), search.predict_proba(X), atol=1e-14)
    assert type(given[-1]) is LogisticRegression
    calibrated = CalibratedClassifierCV(pipeline, cv=2).fit(X, y)
    given = to_sklearn(calibrated)
    np.testing.assert_allclose(given.predict_proba(X), calibrated.predict_proba(X), atol=1e-14)
    assert "Softmax" in repr(calibrated.calibrated_classifiers_[0].estimator)
    assert "Softmax" not in repr([each.estimator for each in given.calibrated_classifiers_])
    assert "Softmax" not in repr(given)


def test_pipelines_with_categories(rows):
    model, frame = _categories()
    pipeline = Pipeline([("model", model)])
    given = to_sklearn(pipeline)
    assert "Softmax" not in repr(given)
    np.testing.assert_allclose(
        given.predict_proba(frame), pipeline.predict_proba(frame), atol=1e-14
    )


def test_pipelines_of_other_models_are_refused(rows):
    X, y = rows
    for model in (
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression().fit(X, y)),
        GridSearchCV(LogisticRegression(), {}),
    ):
        with pytest.raises(TypeError, match=r"model is a (Logistic|GridSearch)"):
            to_sklearn(model)
    with pytest.raises(NotFittedError):
        to_sklearn(make_pipeline(SoftmaxClassifier()))
    with pytest.raises(NotFittedError):
        to_sklearn(CalibratedClassifierCV(SoftmaxClassifier()))
    with pytest.raises(ValueError, match="to_sklearn requires activation"):
        to_sklearn(make_pipeline(SoftmaxClassifier(activation="sigmoid")).fit(X, y))
