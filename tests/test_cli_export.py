"""Exported models predict what ``softreg-fast predict`` does, however they have learned."""

import ctypes
import json
import shutil
import sqlite3
import subprocess
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from softreg_fast.cli import main as cli
from softreg_fast.cli.model_files import load_model
from softreg_fast.export.linear_model import Feature, LinearModel
from softreg_fast.export.onnx_graph import to_onnx_graph

TRAINING = {
    "in memory": [],
    "in blocks": ["--in-blocks"],
    "with references": ["--C", "inf"],
    "with references in blocks": ["--C", "inf", "--in-blocks"],
    "standardized": ["--in-blocks", "--standardize"],
}
NAMES = ["age", "it's a job", "member", "code"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _people(n_classes):
    """Rows to learn from, and others with categories and missing values that these haven't."""
    random = np.random.default_rng(0)
    n_rows = 300
    frame = pd.DataFrame(
        {
            "key": [f"r{place}" for place in range(n_rows)],
            "age": random.normal(40.0, 15.0, n_rows),
            "it's a job": random.choice(["clerk", 'nu"rse, 1', "smed é", None], n_rows),
            "member": random.choice(["true", "false"], n_rows),
            "code": random.choice(["2", "9", "10"], n_rows),
        }
    )
    classes = np.array(["high", "low", "none"])[:n_classes]
    frame["income"] = random.choice(classes, n_rows)
    frame.loc[frame["code"] == "10", "income"] = random.choice(classes[:2], 1)[0]
    frame.loc[:20, "income"] = random.choice(classes, 21)
    frame.loc[5:7, "age"] = np.nan
    new = frame.drop(columns="income").iloc[:60].copy()
    new.loc[10:14, "it's a job"] = "unknown"
    new.loc[12:18, "code"] = None  # which no row had before
    new.loc[16:20, "member"] = None
    new.loc[18:22, "code"] = "02"
    return frame, new


def _train(n_classes, how, capsys):
    """Rows as they are after preparation, and the probabilities that are predicted for them."""
    frame, new = _people(n_classes)
    frame.to_csv("t.csv", index=False)
    arguments = ["train", "t.csv", "--target", "income", "-o", "m.model", "--categorical", "code"]
    assert cli.main([*arguments, "--id", "key", "--json", *TRAINING[how]]) == 0
    new.to_csv("new.csv", index=False)
    arguments = ["predict", "m.model", "new.csv", "-o", "out.parquet", "--proba", "--id", "key"]
    assert cli.main(arguments) == 0
    predicted = pd.read_parquet("out.parquet")
    _, table, _ = load_model(Path("m.model"))
    new["age"] = new["age"].fillna(table.columns[0].fill)
    capsys.readouterr()
    return new, predicted


def _export(kind, *arguments):
    path = f"m.{kind}"
    assert cli.main(["export", "m.model", "--format", kind, "-o", path, *arguments]) == 0
    return Path(path)


def _rows_of(new):
    return [
        [None if pd.isna(each) else each for each in row]
        for row in new[NAMES].itertuples(index=False)
    ]


def _run_python(new):
    names = {}
    exec(_export("python").read_text(encoding="utf-8"), names)
    assert names["predict_proba_features"] == NAMES
    return [names["predict_proba"](row) for row in _rows_of(new)]


def _run_json(new):
    known = json.loads(_export("json").read_text(encoding="utf-8"))
    found = []
    for row in _rows_of(new):
        logits = np.array(known["intercepts"])
        for feature, value in zip(known["features"], row, strict=True):
            coefficients = np.array(feature["coefficients"])
            if feature["kind"] == "number":
                logits = logits + coefficients * value
            elif value in feature["categories"]:
                logits = logits + coefficients[feature["categories"].index(value)]
        exponentials = np.exp(logits - logits.max())
        found.append(exponentials / exponentials.sum())
    return found


def _run_c(new):
    source = _export("c")
    subprocess.run(
        ["cc", "-std=c99", "-shared", "-fPIC", "-o", "m.so", str(source), "-lm"], check=True
    )
    library = ctypes.CDLL(str(Path("m.so").resolve()))
    categories = {}
    for place, feature in enumerate(json.loads(_export("json").read_text())["features"]):
        if feature["kind"] == "category":
            names = (ctypes.c_char_p * len(feature["categories"])).in_dll(
                library, f"softreg_categories_{place}"
            )
            categories[place] = [
                None if each == b"(missing)" else each.decode("utf-8") for each in names
            ]
            assert categories[place] == feature["categories"]
    n_classes = len(json.loads(_export("json").read_text())["classes"])
    found = []
    for row in _rows_of(new):
        numbers = [
            value if place not in categories
            else categories[place].index(value) if value in categories[place] else -1
            for place, value in enumerate(row)
        ]  # fmt: skip
        out = (ctypes.c_double * n_classes)()
        library.softreg_predict_proba((ctypes.c_double * len(row))(*numbers), out)
        found.append(list(out))
    return found


def _run_sqlite(new):
    statement = _export("sql", "--table", "people", "--id", "key").read_text(encoding="utf-8")
    connection = sqlite3.connect(":memory:")
    new.astype(object).to_sql("people", connection, index=False)
    found = pd.read_sql(statement, connection)
    connection.close()
    return found.set_index("key").loc[new["key"]].drop(columns="label")


def _run_duckdb(new):
    arguments = ["--table", "people", "--id", "key", "--dialect", "duckdb"]
    statement = _export("sql", *arguments).read_text(encoding="utf-8")
    connection = duckdb.connect()
    connection.register("people", new)
    found = connection.execute(statement).df()
    connection.close()
    return found.set_index("key").loc[new["key"]].drop(columns="label")


RUNS = {"python": _run_python, "json": _run_json, "sqlite": _run_sqlite, "duckdb": _run_duckdb}
RUNS |= {"c": _run_c} if shutil.which("cc") else {}


@pytest.mark.parametrize("how", TRAINING)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_exports_take_columns_and_predict_the_same(n_classes, how, capsys):
    new, predicted = _train(n_classes, how, capsys)
    expected = predicted.filter(like="probability_")
    for kind, run in RUNS.items():
        np.testing.assert_allclose(
            np.array(run(new), float), expected, rtol=0, atol=1e-12, err_msg=kind
        )
    notes = capsys.readouterr().err
    assert "missing numbers are filled first: 'age' " in notes
    assert "booleans are the texts 'true' and 'false': 'member'\n" in notes
    assert "numbers that are categories are texts, as in '2': 'code'\n" in notes


def test_references_are_categories_with_coefficients_of_zero(capsys):
    _train(3, "with references", capsys)
    known = json.loads(_export("json").read_text())
    job, member, code = known["features"][1:]
    assert [len(each["categories"]) for each in (job, member, code)] == [4, 2, 3]
    assert job["categories"][-1] is None
    for feature in (job, member, code):
        assert feature["coefficients"][0] == [0.0, 0.0, 0.0]
        assert np.array(feature["coefficients"][1:]).any(axis=1).all()


def test_empty_names_are_refused(capsys):
    frame, _ = _people(2)
    frame.rename(columns={"code": ""}).to_parquet("t.parquet")
    arguments = ["train", "t.parquet", "--target", "income", "-o", "m.model", "--keep", ""]
    assert cli.main([*arguments, "--id", "key", "--json"]) == 0
    capsys.readouterr()
    for arguments, message in (
        (["sql", "--table", "people"], "no name, which SQL needs: name it, and train again"),
        (["sql", "--table", ""], "--table and --id must be names, not empty"),
        (["sql", "--table", "people", "--id", ""], "--table and --id must be names, not empty"),
    ):
        with pytest.raises(SystemExit, match="2"):
            cli.main(["export", "m.model", "-o", "-", "--format", *arguments])
        assert message in capsys.readouterr().err
    with pytest.raises(ValueError, match="no name, which inputs of ONNX need: name it"):
        to_onnx_graph(LinearModel([0, 1], [Feature("", None, np.ones(1))], np.ones(1), "identity"))


def test_onnx_refuses_labels_that_are_not_whole():
    known = LinearModel([0.5, 1], [Feature("a", None, np.ones(1))], np.ones(1), "identity")
    with pytest.raises(ValueError, match="has integers and strings as labels: use strings"):
        to_onnx_graph(known)


def _run_onnx(new):
    import onnx
    from onnxruntime import InferenceSession

    path = _export("onnx")
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = InferenceSession(path)
    texts = new[NAMES[1:]].astype(object)
    # What a text column has for missing values, read by pandas or written in its file.
    texts.loc[::2] = texts.loc[::2].where(texts.loc[::2].notna(), "NA")
    texts.loc[1::2] = texts.loc[1::2].where(texts.loc[1::2].notna(), "")
    given = {name: texts[[name]].to_numpy() for name in NAMES[1:]}
    return session.run(["label", "probabilities"], {"age": new[["age"]].to_numpy(), **given})


@pytest.mark.full
@pytest.mark.parametrize("how", TRAINING)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_models_with_categories_become_onnx(n_classes, how, capsys):
    new, predicted = _train(n_classes, how, capsys)
    labels, probabilities = _run_onnx(new)
    expected = predicted.filter(like="probability_")
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-12)
    assert labels.tolist() == predicted["prediction"].tolist()


@pytest.mark.full
def test_onnx_of_other_models():
    from onnxruntime import InferenceSession

    # Names of the graph's own, sigmoids, whole labels, categories alone.
    features = [
        Feature("label", ["a", "b", None], np.arange(9.0).reshape(3, 3) / 7.0),
        Feature("softreg_0", ["a"], np.array([[1.0, -2.0, 0.5]])),
    ]
    known = LinearModel([-3, 2**40, 0], features, np.array([0.5, 0.0, -0.5]), "sigmoid")
    session = InferenceSession(to_onnx_graph(known, ["", "none"]))
    given = {"label": [["b"], ["none"], ["c"]], "softreg_0": [["a"], ["b"], [""]]}
    labels, probabilities = session.run(
        ["label_predicted", "probabilities"],
        {name: np.array(texts, object) for name, texts in given.items()},
    )
    logits = np.array(
        [
            known.intercepts + features[0].coefficients[1] + features[1].coefficients[0],
            known.intercepts + features[0].coefficients[2],
            known.intercepts,
        ]
    )
    expected = softmax(1.0 / (1.0 + np.exp(-logits)), axis=1)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)
    assert labels.tolist() == np.array(known.classes)[expected.argmax(axis=1)].tolist()
