"""From files to models, predictions and scores, by the command line."""

import errno
import gc
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import dump_svmlight_file, load_iris
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks.arrow import ParquetTable
from softreg_fast.cli import holding_out
from softreg_fast.cli import main as cli
from softreg_fast.cli.scores import Scores
from softreg_fast.cli.tables.columns import Column, ColumnTable
from softreg_fast.cli.tables.encoding import Encoded
from softreg_fast.cli.tables.kept_table import KeptTable
from softreg_fast.persistence import load, load_with_metadata

FLOWERS = ("setosa", "versicolor", "virginica")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def flowers(folder):
    features, labels = load_iris(return_X_y=True)
    frame = pd.DataFrame(features, columns=["a", "b", "c", "d"])
    frame["kind"] = np.array(FLOWERS)[labels]
    frame.to_csv("flowers.csv", index=False)
    return frame


def people(n_rows=400, seed=0):
    """A table of columns of all kinds."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "row id": np.arange(n_rows),
            "age": random.integers(18, 80, n_rows).astype(float),
            "job": random.choice(["clerk", "nurse, head", "smith"], n_rows),
            "member": random.random(n_rows) < 0.5,
            "joined": pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(n_rows), "D"),
            "note": [f"text {place}" for place in range(n_rows)],
            "country": "Norway",
            "nothing": np.nan,
        }
    )
    logits = (frame["age"] - 45) / 10 + (frame["job"] == "smith") * 2 - frame["member"]
    frame["income"] = np.where(logits + random.logistic(size=n_rows) > 0, "high", "low")
    frame.loc[frame.index[3::50], "age"] = np.nan
    frame.loc[frame.index[5::50], "job"] = None
    return frame


def _train(capsys, *arguments):
    assert cli.main(["train", *map(str, arguments), "-o", "m.model", "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out), captured.err


def _predict(capsys, data, *arguments):
    assert cli.main(["predict", "m.model", data, "-o", "out.csv", *arguments]) == 0
    return pd.read_csv("out.csv"), capsys.readouterr().err


def test_model_of_numbers_is_that_of_the_classifier(capsys, flowers):
    found, notes = _train(capsys, "flowers.csv", "--target", "kind", "--validation", "0", "--C", 2)
    assert notes == ""
    features, labels = flowers[["a", "b", "c", "d"]], flowers["kind"]
    expected = SoftmaxClassifier(C=2.0).fit(features, labels)
    model = load("m.model")
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b", "c", "d"])
    assert found["classes"] == [{"class": name, "rows": 50, "share": 1 / 3} for name in FLOWERS]
    assert found["validation"] is None

    flowers.drop(columns="kind").iloc[:, ::-1].assign(extra=1).to_csv("new.csv", index=False)
    out, notes = _predict(capsys, "new.csv", "--proba", "--id", "extra", "a")
    assert notes.splitlines() == ["note: 150 rows, written to out.csv"]
    assert list(out) == ["extra", "a", "prediction", *(f"probability_{name}" for name in FLOWERS)]
    np.testing.assert_allclose(out.iloc[:, 3:], expected.predict_proba(features), rtol=1e-12)
    assert (out["prediction"] == expected.predict(features)).all()


@pytest.fixture
def table(folder):
    frame = people()
    frame.to_csv("people.csv", index=False)
    return frame


def test_what_becomes_of_columns_is_said(capsys, table):
    found, notes = _train(capsys, "people.csv", "--target", "income")
    assert {each["name"]: (each["role"], each["text"]) for each in found["columns"]} == {
        "row id": ("left out", "it numbers the rows, as an index does"),
        "age": ("feature", "number; 8 missing, filled with the median "
                f"{table['age'].median():g}"),
        "job": ("feature", "3 categories; 8 missing, a category of its own"),
        "member": ("feature", "boolean"),
        "joined": ("left out", "dates are no features; make numbers of them, such as the month or "
                   "the age"),
        "note": ("left out", "it has 400 different texts in 400 rows"),
        "country": ("left out", "all values are 'Norway'"),
        "nothing": ("left out", "all values are missing"),
        "income": ("target", ""),
    }  # fmt: skip
    assert notes == ""
    filled = table.assign(
        age=table["age"].fillna(table["age"].median()),
        job=table["job"].astype("category"),
        member=table["member"].map({True: "true", False: "false"}).astype("category"),
    )[["age", "job", "member"]]
    expected = SoftmaxClassifier(categorical_features="from_dtype").fit(filled, table["income"])
    np.testing.assert_allclose(load("m.model").coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    assert found["coefficients"][0]["against"] == "high"


def test_columns_can_be_kept_and_dropped(capsys, table):
    found, _ = _train(
        capsys, "people.csv", "--target", "income", "--keep", "row id", "--drop", "age", "--drop",
        "job", "--id", "note", "--categorical", "country",
    )  # fmt: skip
    roles = {each["name"]: each["role"] for each in found["columns"]}
    assert [name for name, role in roles.items() if role == "feature"] == [
        "row id", "member", "country",
    ]  # fmt: skip


def test_unknown_and_missing_values_are_counted(capsys, table):
    _train(capsys, "people.csv", "--target", "income")
    new = table.head(6)[["age", "job", "member"]].copy()
    new["job"] = ["clerk", "pilot", "pilot", None, "smith", "judge"]
    new["age"] = [1, 2, np.nan, 4, 5, 6]
    new.to_csv("new.csv", index=False)
    out, notes = _predict(capsys, "new.csv", "--proba")
    assert notes.splitlines() == [
        "note: 'job': 3 rows with categories that the model doesn't know, such as 'judge', "
        "'pilot'; they contribute nothing",
        f"note: 'age': 1 missing values, for which {table['age'].median():g} is taken",
        "note: 'job': 1 missing values, a category of their own",
        "note: 6 rows, written to out.csv",
    ]
    model = load("m.model")
    frame = new.assign(
        age=new["age"].fillna(table["age"].median()),
        job=new["job"].astype("category"),
        member=new["member"].map({True: "true", False: "false"}).astype("category"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = model.predict_proba(frame)
    np.testing.assert_allclose(out.iloc[:, 1:], expected, rtol=1e-12)


@pytest.mark.parametrize("path", [
    "people.parquet", "people.feather", "people.tsv", "people.csv.gz", "people.csv.zst",
    "people16.csv", "semi.csv",
])  # fmt: skip
def test_files_of_all_kinds_give_the_same_model(capsys, table, path):
    _train(capsys, "people.csv", "--target", "income", "--drop", "joined")
    expected = load("m.model")
    arguments = []
    if path.endswith(".parquet"):
        table.assign(job=table["job"].astype("category")).to_parquet(path)
    elif path.endswith(".feather"):
        table.to_feather(path)
    elif path == "semi.csv":
        table.to_csv(path, index=False, sep=";", decimal=",")
        arguments = ["--decimal", ","]
    elif path.endswith(".zst"):
        with pa.CompressedOutputStream(path, "zstd") as file:
            file.write(table.to_csv(index=False).encode())
    else:
        separator = "\t" if path.endswith(".tsv") else ","
        encoding = "utf-16" if "16" in path else "utf-8-sig"
        table.to_csv(path, index=False, sep=separator, encoding=encoding)
    _train(capsys, path, "--target", "income", "--drop", "joined", *arguments)
    np.testing.assert_allclose(load("m.model").coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    cli.main(["evaluate", "m.model", "people.csv", "--json"])
    one = json.loads(capsys.readouterr().out)["metrics"]
    cli.main(["evaluate", "m.model", path, "--json", *arguments])
    assert json.loads(capsys.readouterr().out)["metrics"] == pytest.approx(one, rel=1e-9)


def test_encodings_can_be_named(capsys, flowers):
    text = flowers.replace("setosa", "blå").to_csv(index=False)
    (path := Path("latin.csv")).write_bytes(text.encode("latin-1"))
    found, _ = _train(capsys, path, "--target", "kind", "--encoding", "latin-1")
    assert found["classes"][0]["class"] == "blå"


def test_arrays(capsys):
    features, labels = load_iris(return_X_y=True)
    expected = SoftmaxClassifier().fit(features, labels)
    np.save("x.npy", np.column_stack([features, labels]))
    np.savez("x.npz", x=features, y=labels)
    dump_svmlight_file(features, labels, "x.svmlight", zero_based=False)
    for path, target in (("x.npy", "x4"), ("x.npz", "y"), ("x.svmlight", None)):
        _train(capsys, path, *(["--target", target] if target else []))
        model = load("m.model")
        np.testing.assert_array_equal(model.classes_, [0, 1, 2])
        np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-2, atol=1e-2)
        out, _ = _predict(capsys, path)
        assert (out["prediction"] == expected.predict(features)).mean() > 0.98
        assert cli.main(["evaluate", "m.model", path, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] > 0.95


@pytest.mark.parametrize("n_kept", [0, 1 << 30])
@pytest.mark.parametrize("is_full", [False, pytest.param(True, marks=pytest.mark.full)])
def test_blocks_give_the_same_model(capsys, monkeypatch, tmp_path_factory, table, n_kept, is_full):
    def refuse(spool):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr("softreg_fast.cli.preparing._MOST_KEPT", n_kept)
    if is_full:
        monkeypatch.setattr("softreg_fast.cli.tables.kept_table._Spool._open", refuse)
    frame = table.copy()
    frame.loc[frame.index[::9], "income"] = None
    frame.to_csv("people.csv", index=False)
    arguments = ["people.csv", "--target", "income", "--seed", "3"]
    expected, notes = _train(capsys, *arguments)
    assert notes == "note: 45 rows have no 'income' and are left out\n"
    in_memory = load("m.model")
    out, _ = _predict(capsys, "people.csv", "--proba")
    found, notes_of_blocks = _train(capsys, *arguments, "--in-blocks")
    assert notes_of_blocks == notes
    assert (expected["read"], found["read"]) == ("in memory", "in blocks")
    in_blocks = load("m.model")
    np.testing.assert_allclose(in_blocks.coef_, in_memory.coef_, atol=2e-3)
    assert list(in_blocks.get_coefficient_names()) == list(in_memory.get_coefficient_names())
    assert found["validation"]["metrics"] == pytest.approx(
        expected["validation"]["metrics"], abs=1e-3
    )
    out_of_blocks, _ = _predict(capsys, "people.csv", "--proba")
    np.testing.assert_allclose(out_of_blocks.iloc[:, 1:], out.iloc[:, 1:], atol=2e-3)
    gc.collect()
    assert not list(folder.iterdir())


def test_kept_rows_are_those_of_the_table(table):
    """Batches may have dictionaries of their own."""
    table.astype({"job": "category"}).to_parquet("people.parquet", row_group_size=50)
    expected = pa.Table.from_batches(ParquetTable(Path("people.parquet")).batches(["job"], 64))
    for n_bytes in (0, 500, 1 << 20):
        kept = KeptTable(ParquetTable(Path("people.parquet")), n_bytes)
        first = pa.Table.from_batches(kept.batches(["job", "age"], 64))
        assert first.num_rows == len(table)
        Path("people.parquet").rename("elsewhere.parquet")
        again = pa.Table.from_batches(kept.batches(["job"], 64))
        Path("elsewhere.parquet").rename("people.parquet")
        assert again["job"].to_pylist() == expected["job"].to_pylist()


def test_labels_are_numbers_or_booleans_however_they_are_written(capsys):
    values = np.tile(np.arange(6.0), 8)
    for name, labels in (("text", "1.0"), ("numbers", 1)):
        frame = pd.DataFrame({"a": values, "y": np.where(values > 2.5, 1, 0)}).astype({"y": object})
        frame.loc[::2, "y"] = frame.loc[::2, "y"].map({1: labels, 0: "0"})
        frame.to_csv(f"{name}.csv", index=False)
        _train(capsys, f"{name}.csv", "--target", "y")
        np.testing.assert_array_equal(load("m.model").classes_, [0, 1])
    frame = pd.DataFrame({"a": values, "y": values > 2.5})
    frame.to_parquet("b.parquet")
    frame.replace({True: "TRUE", False: "False"}).to_csv("b.csv", index=False)
    for path in ("b.parquet", "b.csv"):
        found, _ = _train(capsys, path, "--target", "y")
        assert load("m.model").classes_.tolist() == [False, True]
        assert [each["class"] for each in found["classes"]] == ["false", "true"]
        for other in ("b.parquet", "b.csv"):
            assert cli.main(["evaluate", "m.model", other, "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["n_rows_of_unknown_classes"] == 0


def test_few_numbers_that_are_not_whole_are_classes(capsys):
    frame = pd.DataFrame({"a": np.tile(np.arange(6.0), 8)})
    frame["y"] = np.where(frame["a"] > 2.5, 1.5, 10)
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    found, _ = _train(capsys, "t.csv", "--target", "y")
    assert [each["class"] for each in found["classes"]] == ["1.5", "10.0"]
    assert cli.main(["evaluate", "m.model", "t.parquet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["accuracy"] == 1.0


def test_too_few_rows_to_score(capsys):
    Path("t.csv").write_text("a,y\n1,u\n2,v\n3,u\n4,v\n")
    found, notes = _train(capsys, "t.csv", "--target", "y")
    assert found["validation"] is None
    assert notes == "note: there are too few rows to hold some out: give --cv K to score\n"
    with pytest.raises(SystemExit, match="2"):
        _train(capsys, "t.csv", "--target", "y", "--cv", "5")
    assert "--cv 5 is too many folds for 4 rows" in capsys.readouterr().err


def test_weights_count_as_repeated_rows(capsys, flowers):
    flowers["n"] = np.arange(len(flowers)) % 3
    flowers.to_csv("weighted.csv", index=False)
    flowers.loc[flowers.index.repeat(flowers["n"])].drop(columns="n").to_csv(
        "repeated.csv", index=False
    )
    _train(capsys, "weighted.csv", "--target", "kind", "--weight", "n", "--validation", "0")
    weighted = load("m.model")
    _train(capsys, "repeated.csv", "--target", "kind", "--validation", "0")
    np.testing.assert_allclose(weighted.coef_, load("m.model").coef_, atol=1e-3)


def test_cross_validation_and_calibration(capsys, flowers):
    arguments = ["flowers.csv", "--target", "kind", "--cv", "4"]
    found, _ = _train(capsys, *arguments)
    plain = load("m.model")
    scores = found["cross_validation"]
    assert len(scores["folds"]) == 4
    assert scores["metrics"]["accuracy"] == pytest.approx(
        np.mean([fold["accuracy"] for fold in scores["folds"]]), abs=0.01
    )
    assert scores["baseline"]["accuracy"] == pytest.approx(1 / 3)
    found, _ = _train(capsys, *arguments, "--calibrate")
    temperature = found["calibration"]["temperature"]
    assert 0.1 < temperature < 1.0  # C = 1 penalises so much that probabilities are too even
    np.testing.assert_allclose(load("m.model").coef_ * temperature, plain.coef_, rtol=1e-12)


def test_best_strength_by_cross_validation(capsys, flowers):
    found, _ = _train(capsys, "flowers.csv", "--target", "kind", "--C", "auto", "--cv", "3")
    assert found["model"]["C"] > 1.0
    assert found["model"]["C"] == load("m.model").C


def test_results_are_printed_and_notes_are_on_standard_error(capsys, table):
    table.loc[0, "income"] = None
    table.to_csv("people.csv", index=False)
    assert cli.main(["train", "people.csv", "--target", "income", "-o", "m.model"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "note: 1 rows have no 'income' and are left out\n"
    lines = captured.out.splitlines()
    assert lines[0] == "data: people.csv, 400 rows, read in memory"
    assert lines[-2:] == [
        "model: m.model, learned from all 399 rows",
        "next: softreg-fast predict m.model NEW_DATA -o predictions.csv --proba",
    ]
    assert any(line.startswith("accuracy ") for line in lines)
    assert cli.main(["explain", "m.model", "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "low, against high"
    assert len(lines) == 5
    assert cli.main(["evaluate", "m.model", "people.csv"]) == 0
    assert "true \\ predicted" in capsys.readouterr().out


def test_hopeless_and_suspicious_models_are_named(capsys):
    values = np.arange(100.0)
    frame = pd.DataFrame({"noise": values % 7, "y": np.where(values % 10 < 8, "no", "yes")})
    frame.to_csv("t.csv", index=False)
    _, notes = _train(capsys, "t.csv", "--target", "y")
    assert "the model is no better than always saying 'no'" in notes
    frame.assign(leak=frame["y"]).to_csv("t.csv", index=False)
    _, notes = _train(capsys, "t.csv", "--target", "y")
    assert "a column may give the target away" in notes


def test_evaluation_agrees_with_scikit_learn(capsys, flowers):
    _train(capsys, "flowers.csv", "--target", "kind")
    model = load("m.model")
    new = flowers.iloc[::3].copy()
    new.loc[new.index[:4], "kind"] = ["virginica", "versicolor", "rose", None]
    new.to_csv("new.csv", index=False)
    assert cli.main(["evaluate", "m.model", "new.csv", "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert captured.err.splitlines() == [
        "note: 1 rows have no 'kind' and are left out",
        "note: 1 rows have classes that the model doesn't know, 'rose', and are left out",
    ]
    kept = new[new["kind"].isin(FLOWERS)]
    features, true = kept[["a", "b", "c", "d"]], kept["kind"]
    probabilities, predicted = model.predict_proba(features), model.predict(features)
    onehot = (np.array(true)[:, None] == np.array(FLOWERS)).astype(float)
    highest = probabilities.max(axis=1)
    bins = np.minimum((highest * 10).astype(int), 9)
    error = sum(
        abs((highest[bins == each] - (predicted == true)[bins == each]).sum()) for each in range(10)
    ) / len(true)
    assert found["metrics"] == pytest.approx(
        {
            "accuracy": accuracy_score(true, predicted),
            "balanced_accuracy": balanced_accuracy_score(true, predicted),
            "log_loss": log_loss(true, probabilities),
            "brier_score": ((probabilities - onehot) ** 2).sum(axis=1).mean(),
            "calibration_error": error,
        }
    )
    assert found["confusion_matrix"] == confusion_matrix(true, predicted).tolist()
    expected = precision_recall_fscore_support(true, predicted)
    for place, name in enumerate(FLOWERS):
        row = found["by_class"][name]
        assert list(row.values()) == pytest.approx([part[place] for part in expected])
    assert found["baseline"]["log_loss"] == pytest.approx(np.log(3))


def test_scores_of_weighted_rows_are_those_of_repeated_ones():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 2, 1], 30)
    codes, weights = random.integers(0, 3, 30), random.integers(0, 4, 30)
    weighted, repeated = Scores(3), Scores(3)
    weighted.add(probabilities[:9], codes[:9], weights[:9].astype(float))
    weighted.add(probabilities[9:], codes[9:], weights[9:].astype(float))
    repeated.add(probabilities.repeat(weights, axis=0), codes.repeat(weights))
    assert weighted.metrics() == pytest.approx(repeated.metrics())


def test_brier_score_of_two_classes_is_that_of_scikit_learn():
    random = np.random.default_rng(0)
    probabilities, codes = random.dirichlet([1, 2], 30), random.integers(0, 2, 30)
    scores = Scores(2)
    scores.add(probabilities, codes)
    expected = brier_score_loss(codes, probabilities[:, 1])
    assert scores.metrics()["brier_score"] == pytest.approx(expected)


def test_each_class_is_held_out_by_its_share_but_never_all_of_it():
    codes = np.repeat([0, 1, 2], [1, 40, 200])
    held_out = holding_out.hold_out(codes, 0.1, 0)
    np.testing.assert_array_equal(np.bincount(codes[held_out], minlength=3), [0, 4, 20])
    assert (held_out != holding_out.hold_out(codes, 0.1, 1)).any()
    folds = holding_out.folds_of(codes, 5, 0)
    assert np.ptp(np.bincount(folds)) <= 1
    for code in (1, 2):
        assert np.ptp(np.bincount(folds[codes == code])) <= 1


@pytest.mark.parametrize("more", [[], ["--in-blocks"], ["--C", "auto"]])
def test_penalty_of_standardized_numbers_is_the_same_in_all_units(capsys, table, more):
    coefs = []
    for factor in (1.0, 1e-6):
        table.assign(age=table["age"] * factor).to_csv("people.csv", index=False)
        arguments = ["people.csv", "--target", "income"]
        _, notes = _train(capsys, *arguments)
        assert ("hardly lets 'age' contribute" in notes) == (factor < 1)
        found, notes = _train(capsys, *arguments, "--standardize", *more)
        assert notes == ""
        assert found["model"]["standardized"]
        model = load("m.model")
        coefs.append(model.coef_ * [[factor] + [1] * (model.coef_.shape[1] - 1)])
        out, _ = _predict(capsys, "people.csv", "--proba")
        assert log_loss(table["income"], out.iloc[:, 1:]) < 0.55
    np.testing.assert_allclose(*coefs, rtol=1e-3, atol=1e-4)
    if not more:
        age = table["age"].fillna(table["age"].median())
        scale = table["age"].std(ddof=0)
        frame = pd.DataFrame(
            {
                "age": (age - table["age"].mean()) / scale,
                "job": table["job"].astype("category"),
                "member": table["member"].astype("category"),
            }
        )
        expected = SoftmaxClassifier(categorical_features="from_dtype").fit(frame, table["income"])
        np.testing.assert_allclose(coefs[0][0, 0] * scale, expected.coef_[0, 0], rtol=1e-3)
        np.testing.assert_allclose(out.iloc[:, 1:], expected.predict_proba(frame), atol=1e-4)


@pytest.mark.full
def test_odds_have_intervals_without_a_penalty(capsys, table):
    _train(capsys, "people.csv", "--target", "income", "--C", "inf")
    assert cli.main(["explain", "m.model", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (of_class,) = found["classes"]
    rows = {row["name"]: row for row in of_class["coefficients"]}
    reference = table["job"].mode()[0]
    assert {f"job_smith (against {reference})", "age"} <= set(rows) or reference == "smith"
    import statsmodels.api as sm

    frame = pd.DataFrame({"age": table["age"].fillna(table["age"].median())})
    job = table["job"].fillna("nan")
    for each in sorted(set(job) - {reference}):
        frame[f"job_{each} (against {reference})"] = (job == each) * 1.0
    majority = bool(table["member"].mode()[0])
    name = f"member_{str(not majority).lower()} (against {str(majority).lower()})"
    frame[name] = (table["member"] != majority) * 1.0
    fitted = sm.Logit((table["income"] == "low") * 1.0, sm.add_constant(frame)).fit(disp=0)
    for label in frame:
        row = rows[label]
        low, high = fitted.conf_int().loc[label]
        found = [row["coefficient"], row["std_err"], row["lower"], row["upper"]]
        expected = [fitted.params[label], fitted.bse[label], low, high]
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
    out, _ = _predict(capsys, "people.csv", "--proba")
    np.testing.assert_allclose(
        out["probability_low"], fitted.predict(sm.add_constant(frame)), atol=1e-3
    )


def test_outputs_are_whole_or_as_before(capsys, flowers):
    _train(capsys, "flowers.csv", "--target", "kind")
    flowers.assign(a=flowers["a"].astype(object).where(flowers.index != 140, "x")).to_csv(
        "new.csv", index=False
    )
    Path("out.csv").write_text("before")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["predict", "m.model", "new.csv", "-o", "out.csv"])
    assert Path("out.csv").read_text() == "before"
    assert sorted(path.name for path in Path().iterdir()) == [
        "flowers.csv", "m.model", "new.csv", "out.csv",
    ]  # fmt: skip


def test_predictions_as_parquet_and_on_standard_output(capsysbinary, flowers):
    assert cli.main(["train", "flowers.csv", "--target", "kind", "-o", "m.model", "--json"]) == 0
    assert cli.main(["predict", "m.model", "flowers.csv", "-o", "p.parquet", "--proba"]) == 0
    capsysbinary.readouterr()
    found = pq.read_table("p.parquet")
    assert found.num_rows == 150
    assert found.schema.names[0] == "prediction"
    assert cli.main(["predict", "m.model", "flowers.csv", "-o", "-"]) == 0
    lines = capsysbinary.readouterr().out.decode().splitlines()
    assert lines[0] == '"prediction"'
    assert [line.strip('"') for line in lines[1:]] == found["prediction"].to_pylist()


def test_same_seed_gives_the_same_file(capsys, table):
    contents = []
    for seed in ("1", "1", "2"):
        _train(capsys, "people.csv", "--target", "income", "--seed", seed, "--calibrate")
        contents.append(Path("m.model").read_bytes())
    assert contents[0] == contents[1] != contents[2]


def test_model_remembers_how_it_was_made(capsys, flowers):
    _train(capsys, "flowers.csv", "--target", "kind", "--na", "unknown")
    metadata = load_with_metadata("m.model")[1]["softreg-fast"]
    assert "unknown" in metadata["table"]["missing"]
    assert metadata["training"]["n_rows"] == 150
    frame = flowers.astype({"b": object})
    frame.loc[2, "b"] = "unknown"
    frame.to_csv("new.csv", index=False)
    _, notes = _predict(capsys, "new.csv")
    assert "note: 'b': 1 missing values" in notes


@pytest.mark.parametrize(
    "text",
    [
        '\n\n"a,1",y\r\n1,u\r\n2,v\r\n\r\n3,u\r\n4,v\r\n',
        "a;y\n1;u\n2;v\n 3 ; u \n4;v",
        '﻿"a"\t"y"\n"1"\t"u"\n"2"\t"v"\n3\tu\n4\tv\n',
        'a|"y"\n1|"u"\n+2.0|v\n3e0|"u"\n4|v\n',
        'a,y\n1,"u\nu"\n2,v\n3,"u\nu"\n4,v\n',
    ],
)
def test_texts_of_many_forms(capsys, text):
    Path("t.csv").write_text(text, encoding="utf-8", newline="")
    found, _ = _train(capsys, "t.csv", "--target", "y", "--validation", "0")
    assert [each["rows"] for each in found["classes"]] == [2, 2]
    assert found["columns"][0]["text"] == "number"
    assert load_with_metadata("m.model")[1]["softreg-fast"]["table"]["columns"][0]["fill"] == 2.5


def test_full_disk_is_named(capsys, monkeypatch, flowers):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("softreg_fast.blocks.cache._Files.add", full)
    with pytest.raises(SystemExit, match="2"):
        _train(capsys, "flowers.csv", "--target", "kind", "--in-blocks")
    assert "name a folder with more room by the environment variable TMPDIR" in (
        capsys.readouterr().err
    )
    assert not Path("m.model").exists()


def test_standardizing_changes_nothing_without_a_penalty(capsys, table):
    found, _ = _train(capsys, "people.csv", "--target", "income", "--C", "inf")
    expected = load("m.model").coef_
    found, _ = _train(capsys, "people.csv", "--target", "income", "--C", "inf", "--standardize")
    np.testing.assert_array_equal(load("m.model").coef_, expected)
    assert not found["model"]["standardized"]
    assert "std_err" in found["coefficients"][0]["coefficients"][0]


def test_columns_without_standard_errors_are_named(capsys, flowers):
    flowers["twice a"] = 2.0 * flowers["a"]
    flowers["size"] = np.array(["small", "middle", "large"])[np.arange(150) % 3]
    flowers["length"] = np.array(["short", "mean", "long"])[np.arange(150) % 3]
    flowers["kind"] = np.where(np.arange(150) % 7 % 2 == 1, "x", "y")
    flowers.to_csv("flowers.csv", index=False)
    found, _ = _train(capsys, "flowers.csv", "--target", "kind", "--C", "inf")
    (note,) = [each for each in found["notes"] if "no standard errors" in each]
    assert "features depend on each other (a, twice a, size, length)" in note
    assert "std_err" not in found["coefficients"][0]["coefficients"][0]


def test_standard_errors_have_the_names_of_columns(capsys, table):
    _train(capsys, "people.csv", "--target", "income", "--C", "inf")
    _, metadata = load_with_metadata("m.model")
    names = metadata["softreg-fast"]["training"]["summary"]["names"]
    assert names[:2] == ["intercept", "age"]
    assert any(each.startswith("job_") for each in names)


def test_a_fit_that_ends_early_is_told_in_terms_of_options(capsys, flowers):
    arguments = ("flowers.csv", "--target", "kind", "--epochs", "1", "--validation", "0")
    found, _ = _train(capsys, *arguments)
    (note,) = found["notes"]
    assert note.startswith("the model has not converged in 1 iteration: ")
    assert note.endswith("; give more --epochs")


def test_shares_by_weight_are_called_so(capsys, flowers):
    flowers["w"] = np.where(flowers["kind"] == "virginica", 2.0, 1.0)
    flowers.to_csv("flowers.csv", index=False)
    arguments = ["--target", "kind", "--weight", "w", "--validation", "0", "-o", "m.model"]
    assert cli.main(["train", "flowers.csv", *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "kind        rows  share of weight" in lines
    assert "virginica     50           50.0 %" in lines
    assert lines[-3].endswith("always saying 'virginica' is right for 50.0 % of the weight")


def test_next_step_repeats_how_the_file_is_read(capsys, flowers):
    flowers.to_csv("flowers.csv", sep=";", decimal=",", index=False, encoding="latin-1")
    arguments = ["--encoding", "latin-1", "--decimal", ",", "--delimiter", ";"]
    arguments += ["--target", "kind", "--validation", "0", "-o", "my flowers.model"]
    assert cli.main(["train", "flowers.csv", *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "next: softreg-fast predict 'my flowers.model' NEW_DATA -o predictions.csv --proba "
        "--encoding latin-1 --delimiter ';' --decimal ,"
    )


def test_results_do_not_depend_on_how_rows_are_cut(capsys, monkeypatch, table):
    results = []
    for most in (1 << 22, 40):
        monkeypatch.setattr("softreg_fast.cli.tables.files._MOST_NUMBERS", most)
        monkeypatch.setattr("softreg_fast.cli.learning_rows._BLOCK_NUMBERS", most)
        for more in ([], ["--in-blocks"]):
            found, _ = _train(capsys, "people.csv", "--target", "income", *more)
            out, notes = _predict(capsys, "people.csv", "--proba")
            results.append((found["columns"], found["validation"], out, notes))
    for one, other in ((0, 2), (1, 3)):
        (columns, scores, out, notes), others = results[one], results[other]
        assert (columns, notes) == (others[0], others[3])
        assert scores["metrics"] == pytest.approx(others[1]["metrics"], rel=1e-9)
        pd.testing.assert_frame_equal(out, others[2])


def test_codes_with_leading_zeros_are_no_numbers(capsys):
    rows = [f"0{at % 3}10,{at % 5},{'007' if at % 3 else '011'}" for at in range(30)]
    Path("t.csv").write_text("\n".join(["zip,a,agent", *rows, ""]))
    found, _ = _train(capsys, "t.csv", "--target", "agent")
    assert found["columns"][0]["text"] == "3 categories"
    assert load("m.model").classes_.tolist() == ["007", "011"]
    Path("t.csv").write_text("a,y\n" + "1,9007199254740993\n2,9007199254740992\n" * 20)
    _train(capsys, "t.csv", "--target", "y")
    assert load("m.model").classes_.tolist() == ["9007199254740992", "9007199254740993"]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in (1, 2))]
)
def test_results_do_not_depend_on_how_texts_are_held(capsys, monkeypatch, seed):
    random = np.random.default_rng(seed)
    kinds = {
        "few": ["a", " a", "b ", "b", "NA", "", "?"],
        "numbers": ["1", "2.0", "2", " 3", "+4", "1e2", "", "NA", "-9"],
        "late": [*["7", "8", "9"] * 20, "many", "NA"],
        "truth": ["True", "false", "TRUE"],
        "codes": ["01", "02", "10"],
    }
    frame = pd.DataFrame({name: random.choice(texts, 900) for name, texts in kinds.items()})
    frame["spread"] = [f"{number:.3f}" for number in random.normal(size=900)]
    frame["y"] = random.choice(["u", "v", "w"], 900)
    frame.to_csv("t.csv", index=False)
    plain = pa.Table.from_pandas(frame.astype(str), preserve_index=False)
    pq.write_table(plain, "plain.parquet")
    encoded = [column.dictionary_encode() for column in plain.columns]
    pq.write_table(pa.table(encoded, plain.column_names), "encoded.parquet")
    results = []
    for few in (0.0, 1.0):
        monkeypatch.setattr("softreg_fast.cli.tables.csv_file._MOST_DIFFERENT", few)
        for block_bytes in (1 << 10, 1 << 22):
            monkeypatch.setattr("softreg_fast.cli.tables.csv_file._BLOCK_BYTES", block_bytes)
            results += [_results_of(capsys, "t.csv", *more) for more in ([], ["--in-blocks"])]
    results += [_results_of(capsys, path) for path in ("plain.parquet", "encoded.parquet")]
    for columns, out, notes in results[1:]:
        assert columns == results[0][0]
        # Fits in blocks and in memory take other steps.
        pd.testing.assert_frame_equal(out, results[0][1], rtol=1e-5)
        assert notes == results[0][2]
    assert "4 categories" in results[0][0]["late"]


def _results_of(capsys, path, *more):
    found, _ = _train(capsys, path, "--target", "y", "--na=-9", *more)
    columns = {each["name"]: each["text"] for each in found["columns"]}
    out, notes = _predict(capsys, path, "--proba")
    return columns, out, notes


def test_numbers_that_stand_for_missing_values_do_so_in_every_file(capsys):
    frame = pd.DataFrame({"a": [1, -999, 3, 4, -999, 8] * 5, "y": ["u", "v"] * 15})
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")
    frame.astype({"a": float}).to_feather("t.feather")
    for path in ("t.csv", "t.parquet", "t.feather"):
        found, _ = _train(capsys, path, "--target", "y", "--na=-999")
        assert found["columns"][0]["text"] == "number; 10 missing, filled with the median 3.5"
        _, notes = _predict(capsys, path)
        assert notes.startswith("note: 'a': 10 missing values, for which 3.5 is taken\n")


def test_identifiers_are_copied_whatever_stands_for_missing_values(capsys, flowers):
    _train(capsys, "flowers.csv", "--target", "kind")
    names = ["NA", "?", "", "null", "x"] * 30
    flowers.assign(name=names).to_csv("named.csv", index=False)
    assert cli.main(["predict", "m.model", "named.csv", "-o", "out.csv", "--id", "name"]) == 0
    assert pd.read_csv("out.csv", keep_default_na=False)["name"].tolist() == names


def test_categories_that_have_no_coefficient(capsys):
    frame = pd.DataFrame({"a": ["same"] * 40, "b": range(40), "y": ["u", "v", "v", "u"] * 10})
    frame["b"] = frame["b"] % 7
    frame.to_csv("t.csv", index=False)
    options = ["--target", "y", "--C", "inf", "--keep", "a", "--validation", "0"]
    _train(capsys, "t.csv", *options)
    assert load("m.model").coef_.shape[1] == 1
    with pytest.raises(SystemExit, match="2"):
        cli.main(["train", "t.csv", *options, "--drop", "b", "-o", "m.model"])
    assert "t.csv has no column that is a feature: 'a': 1 cat" in capsys.readouterr().err


def test_rows_of_mostly_zeros_leave_these_out():
    columns = [Column(f"n{place}", "number", fill=0.0) for place in range(5)]
    columns.append(Column("c", "category", categories=("a", "b")))
    table = ColumnTable(tuple(columns), "y", "text")
    random = np.random.default_rng(0)
    for share in (0.1, 0.9):
        numbers = [np.where(random.random(50) < share, 1.5, 0.0) for _ in range(5)]
        codes = random.integers(0, 4, 50).astype(np.int32)
        found = Encoded(table, numbers, [codes], 50).as_features(looks_up=False)
        ones = codes[:, np.newaxis] == np.arange(2)
        np.testing.assert_array_equal(found.toarray(), np.column_stack([*numbers, ones]))
        assert found.has_canonical_format
        assert (found.nnz < 50 * 6) == (share == 0.1)


def test_decimal_commas_are_named_when_models_are_applied(capsys, flowers):
    _train(capsys, "flowers.csv", "--target", "kind")
    text = flowers.to_csv(index=False, sep=";", decimal=",")
    Path("commas.csv").write_text(text)
    for command in ("predict", "evaluate"):
        more = ["-o", "out.csv"] if command == "predict" else []
        with pytest.raises(SystemExit, match="2"):
            cli.main([command, "m.model", "commas.csv", *more])
        message = capsys.readouterr().err
        assert "'a' of commas.csv has commas in numbers, such as '5,1' in row 1" in message
        assert 'if decimals, give --decimal ","' in message
        assert cli.main([command, "m.model", "commas.csv", *more, "--decimal", ","]) == 0


def test_what_missing_values_are_is_said(capsys, table):
    _train(capsys, "people.csv", "--target", "income", "--C", "inf")
    table.assign(member=table["member"].astype(object).where(table.index > 2)).to_csv(
        "new.csv", index=False
    )
    _, notes = _predict(capsys, "new.csv")
    majority = str(bool(table["member"].mode()[0])).lower()
    assert f"note: 'member': 3 missing values, which count as '{majority}'" in notes
    _train(capsys, "people.csv", "--target", "income")
    _, notes = _predict(capsys, "new.csv")
    assert "note: 'member': 3 missing values, which contribute nothing" in notes
