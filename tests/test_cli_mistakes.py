"""What the command line says of mistakes: one line on standard error, which names the remedy."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from softreg_fast import SoftmaxClassifier
from softreg_fast.cli import console
from softreg_fast.cli import main as cli
from softreg_fast.persistence import save

HEAD = "age,job,kind"
ROWS = [
    f"{place % 7}.5,{'clerk' if place % 2 else 'smith'},{'yes' if place % 3 else 'no'}"
    for place in range(24)
]
GOOD = "\n".join([HEAD, *ROWS, ""])


def _with(place, row):
    return "\n".join([HEAD, *ROWS[:place], row, *ROWS[place:], ""])


def _column(name, values):
    """The good table with another column in front."""
    lines = [f"{name},{HEAD}", *(f"{value},{row}" for value, row in zip(values, ROWS, strict=True))]
    return "\n".join([*lines, ""])


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _error_of(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_of:
        cli.main([str(each) for each in arguments])
    assert exit_of.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    *_, line = captured.err.splitlines()
    assert line.startswith(f"softreg-fast {arguments[0]}: error: ")
    return line.partition(": error: ")[2]


def _train(capsys, text, *arguments, name="table.csv", target="kind"):
    if isinstance(text, bytes):
        Path(name).write_bytes(text)
    elif text is not None:
        Path(name).write_text(text, encoding="utf-8")
    chosen = [] if target is None else ["--target", target]
    message = _error_of(capsys, "train", name, *chosen, "-o", "m.model", *arguments)
    assert not Path("m.model").exists()
    return message


MANY = "\n".join(["a,kind", *(f"{place % 9},c{place}" for place in range(12_000)), ""])
CASES = {
    "wrong target": (
        GOOD, ["--target", "kindd"],
        "--target 'kindd' is no column of table.csv: did you mean 'kind'?",
    ),
    "target of other case": (
        GOOD, ["--target", "Kind"],
        "--target 'Kind' is no column of table.csv: did you mean 'kind'?",
    ),
    "no target": (GOOD, None, "--target COLUMN is needed: the name of the column to predict"),
    "misspelled column": (
        GOOD, ["--drop", "jobb"], "--drop 'jobb' is no column of table.csv: did you mean 'job'?",
    ),
    "numbers in place of a header": (
        "1.0,2.0,3.0,yes\n4.0,5.0,6.0,no\n", [],
        "--target 'kind' is no column of table.csv: it has '1.0', '2.0', '3.0', 'yes'; its first "
        "line seems to be values, not names: add a line of names",
    ),
    "texts in a column of numbers": (
        _column("size", [*(place / 8 for place in range(23)), "unknown"]), [],
        "the column 'size' of table.csv holds 23 numbers and 1 texts, such as 'unknown' in row 24: "
        "correct it, give --na 'unknown' if that means missing, or --drop 'size'",
    ),
    "decimal commas": (
        GOOD.replace(",", ";").replace(".", ","), [],
        "the column 'age' of table.csv has decimal commas, such as '0,5': give --decimal \",\"",
    ),
    "infinite numbers": (
        _with(5, "inf,clerk,yes"), [],
        "the column 'age' of table.csv is infinite in row 6: correct it, or give --na inf --na=-inf"
        " to have it taken for missing",
    ),
    "one class": (
        GOOD.replace(",no", ",yes"), [],
        "--target 'kind' has one class, 'yes', in 24 rows: there must be two classes at least",
    ),
    "a missing file": (None, [], "there is no file 'table.csv': check the path"),
    "an empty file": (
        "", [], "table.csv is empty: it must have a line of names of columns, and rows",
    ),
    "a header without rows": (
        f"{HEAD}\n", [], "table.csv has no rows below its header: there is nothing to learn",
    ),
    "duplicate columns": (
        GOOD.replace(HEAD, "age,age,kind"), [],
        "table.csv has 2 columns 'age': rename all but one",
    ),
    "no feature": (
        "kind\nyes\nno\n", [], "table.csv has no column that is a feature: there is no other",
    ),
    "only columns that are left out": (
        GOOD, ["--drop", "age", "--drop", "job"],
        "table.csv has no column that is a feature: there is no other",
    ),
    "all features are constant": (
        "a,kind\n1,yes\n1,no\n", [],
        "table.csv has no column that is a feature: 'a': all numbers are 1",
    ),
    "all labels are missing": (
        "a,kind\n1,\n2,NA\n", [],
        "--target 'kind' has no labels, in 2 rows: there must be two classes at least",
    ),
    "a column to keep that is all missing": (
        _column("empty", [""] * 24), ["--keep", "empty"],
        "the column 'empty' of table.csv can't be kept: all values are missing",
    ),
    "too many classes": (
        MANY, [],
        "--target 'kind' has 12,000 different values in 12,000 rows: hardly any class is there "
        "twice; choose another column",
    ),
    "a continuous target": (
        _column("price", [place * 1.25 for place in range(24)]), ["--target", "price"],
        "--target 'price' has 24 different numbers in 24 rows, such as 1.25: it is a quantity, not "
        "classes; cut it into bins first (such as low, middle and high), or use a regression",
    ),
    "a wrong delimiter": (
        GOOD, ["--delimiter", ";"],
        "--target 'kind' is no column of table.csv: its only column is 'age,job,kind': give "
        "--delimiter ',' if that is wrong",
    ),
    "a delimiter of two characters": (
        GOOD, ["--delimiter", "::"], "--delimiter '::' must be one character",
    ),
    "an unknown encoding": (
        GOOD, ["--encoding", "utf-99"],
        "--encoding utf-99 is unknown: give one such as latin-1, cp1252 or utf-16",
    ),
    "Latin-1": (
        _with(3, "1,Müller,yes").encode("latin-1"), [],
        "table.csv, line 5: byte 0xfc is not UTF-8: give the file's encoding, such as --encoding "
        "latin-1 or --encoding cp1252",
    ),
    "UTF-16 without a mark": (
        GOOD.encode("utf-16-le"), [],
        "table.csv looks like UTF-16 without a mark: give --encoding utf-16-le",
    ),
    "binary data": (
        b"\x00\x01\x02kind\x00" + bytes(range(1, 200)), [],
        "table.csv is no text, since it holds zero bytes: its name must say what it is, such as "
        "table.parquet",
    ),
    "a workbook": (
        b"PK\x03\x04" + bytes(100), [],
        "table.csv is a zip archive, as workbooks (.xlsx) are: unpack it, or save the sheet as CSV",
    ),
    "a ragged row": (
        _with(4, "1,clerk"), [],
        "table.csv, line 6: 2 columns, but the header has 3; correct the row, or quote what has a "
        "delimiter in it",
    ),
    "target among the columns to drop": (
        GOOD, ["--drop", "kind"], "--drop 'kind' is the target: it can't be both",
    ),
    "weight to keep": (
        GOOD, ["--weight", "age", "--keep", "age"],
        "--keep 'age' is also given as --weight, --id or --drop: it can't be both",
    ),
    "negative C": (
        GOOD, ["--C=-1"], "argument --C: '-1' must be a number above 0, inf or auto",
    ),
    "C that is no number": (
        GOOD, ["--C", "nan"], "argument --C: 'nan' must be a number above 0, inf or auto",
    ),
    "validation above 1": (
        GOOD, ["--validation", "1.5"],
        "argument --validation: '1.5' must be a number from 0 to 0.9, such as 0.1",
    ),
    "one fold": (GOOD, ["--cv", "1"], "argument --cv: '1' must be an integer of at least 2"),
    "negative epochs": (
        GOOD, ["--epochs=-3"], "argument --epochs: '-3' must be an integer of at least 1",
    ),
    "a seed below 0": (
        GOOD, ["--seed=-1"], "argument --seed: '-1' must be an integer from 0 to 4294967295",
    ),
    "an L1 share above 1": (
        GOOD, ["--l1-ratio", "2"],
        "l1_ratio=2.0 is not allowed: it must be a finite number of at least 0 and of at most 1",
    ),
    "an L1 penalty by a solver without": (
        GOOD, ["--l1-ratio", "1", "--solver", "lbfgs"], "solver='lbfgs'",
    ),
    "calibration of nothing": (
        GOOD, ["--calibrate", "--validation", "0"],
        "--calibrate needs held-out rows: give --validation above 0, or --cv K",
    ),
    "negative weights": (
        _column("w", [1, 2, -0.5, *[1] * 21]), ["--weight", "w"],
        "--weight 'w' is '-0.5' in row 3: weights must be numbers of at least 0, none missing",
    ),
    "weights of texts": (
        GOOD, ["--weight", "job"],
        "--weight 'job' is 'smith' in row 1: weights must be numbers of at least 0, none missing",
    ),
    "weights of zero": (
        _column("w", [0] * 24), ["--weight", "w"],
        "--weight 'w' is 0 in all rows: some must be above 0",
    ),
    "a folder that isn't there": (
        GOOD, ["-o", "nowhere/m.model"],
        "-o nowhere/m.model: there is no folder 'nowhere'; make it first",
    ),
    "an output that is a folder": (
        GOOD, ["-o", "."], "-o . is a folder: give the path of a file",
    ),
    "an output that is a device": (
        GOOD, ["--report", os.devnull],
        f"--report {os.devnull} is no regular file, which could be replaced",
    ),
    "an output that is the input": (
        GOOD, ["-o", "table.csv"], "-o table.csv is what is read: give another file",
    ),
    "a report in no folder": (
        GOOD, ["--report", "nowhere/r.html"],
        "--report nowhere/r.html: there is no folder 'nowhere'; make it first",
    ),
    "folds that are no number": (
        GOOD, ["--cv", "many"], "argument --cv: 'many' must be an integer of at least 1",
    ),
    "a share that is no number": (
        GOOD, ["--validation", "half"],
        "argument --validation: 'half' must be a number from 0 to 0.9, such as 0.1",
    ),
    "C that is a word": (
        GOOD, ["--C", "big"], "argument --C: 'big' must be a number above 0, inf or auto",
    ),
    "a seed that is a word": (
        GOOD, ["--seed", "x"], "argument --seed: 'x' must be an integer from 0 to 4294967295",
    ),
    "a search by gradient descent": (
        GOOD, ["--C", "auto", "--solver", "sgd"],
        "--C auto needs an exact solver: give --solver auto, or a number as --C",
    ),
    "an identifier that is the target": (
        GOOD, ["--id", "kind"], "--id 'kind' is the target: it can't be both",
    ),
    "an argument that isn't there": (
        GOOD, ["--sover", "newton"],
        "unrecognized arguments: --sover newton: did you mean --solver?",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", CASES)
def test_mistakes_of_train(capsys, mistake):
    text, arguments, message = CASES[mistake]
    if arguments is None:
        found = _train(capsys, text, target=None)
    else:
        found = _train(capsys, text, *arguments)
    assert found == message or (len(message) < 20 and message in found)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "table.csv.gz", GOOD.encode(),
            "table.csv.gz is not compressed, though its name ends in .gz: rename it, or compress "
            "it again",
        ),
        (
            "table.csv.gz", gzip.compress(GOOD.encode() * 50)[:-20],
            "table.csv.gz is damaged or cut short",
        ),
        ("table.docx", GOOD.encode(), "table.docx is of no kind that is known"),
        ("table.parquet", GOOD.encode(), "table.parquet can't be read as a Parquet file"),
        ("table.npy", GOOD.encode(), "table.npy can't be read as a NumPy file"),
        ("table.feather", GOOD.encode(), "table.feather can't be read as an Arrow IPC file"),
    ],
)  # fmt: skip
def test_files_that_are_not_what_they_are_called(capsys, name, content, message):
    assert _train(capsys, content, name=name).startswith(message)


def test_options_are_no_neighbours_by_their_dashes(capsys):
    message = _error_of(capsys, "predict", "m.model", "table.csv", "-o", "-", "--json")
    assert message == "unrecognized arguments: --json; see softreg-fast predict --help"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ([], "COMMAND; see softreg-fast --help"),
        (["train"], "; usage: softreg-fast train DATA --target COLUMN -o MODEL [options]"),
        (["explain"], "MODEL; see softreg-fast explain --help"),
    ],
)
def test_arguments_that_are_missing(capsys, arguments, hint):
    with pytest.raises(SystemExit):
        cli.main(arguments)
    message = capsys.readouterr().err
    assert "error: the following arguments are required: " in message
    assert message.endswith(f"{hint}\n")


def test_folder_in_place_of_a_file(capsys, folder):
    (folder / "tables").mkdir()
    message = _train(capsys, None, name="tables")
    assert message == "tables is a folder: give the path of a file"


@pytest.mark.parametrize("command", ["train", "predict", "evaluate"])
def test_without_the_extra_it_is_named(capsys, monkeypatch, command):
    monkeypatch.setattr(console, "find_spec", lambda name: None)
    arguments = {
        "train": ["--target", "kind", "-o", "m.model"],
        "predict": ["table.csv", "-o", "-"],
    }
    message = _error_of(capsys, command, "table.csv", *arguments.get(command, ["table.csv"]))
    assert message == (
        f'softreg-fast {command} needs pyarrow and rich: pip install "softreg-fast[cli]"'
    )


def test_pictures_without_matplotlib(capsys, monkeypatch):
    monkeypatch.setattr(console, "find_spec", lambda name: None if name == "matplotlib" else 1)
    message = _train(capsys, GOOD, "--plot", "p.png")
    assert message == '--plot needs matplotlib: pip install "softreg-fast[plot]"'


@pytest.fixture
def model(folder, capsys):
    (folder / "table.csv").write_text(GOOD)
    arguments = ["--target", "kind", "-o", "m.model", "--validation", "0"]
    assert cli.main(["train", "table.csv", *arguments]) == 0
    capsys.readouterr()
    return "m.model"


def _predict(capsys, model, text, *arguments):
    Path("new.csv").write_text(text)
    return _error_of(capsys, "predict", model, "new.csv", *(arguments or ["-o", "out.csv"]))


def test_mistakes_of_predict(capsys, model):
    found = _predict(capsys, model, "aged,work\n1,clerk\n")
    assert found == (
        "new.csv lacks 2 of the 2 columns of the model: 'age' (is it 'aged'?), 'job'; add them, or "
        "rename columns"
    )
    assert _predict(capsys, model, "age job\n1 clerk\n").endswith(
        "; its only column is 'age job': give --delimiter ' ' if that is wrong"
    )
    found = _predict(capsys, model, "age,job\n1,clerk\nold,smith\n")
    assert found == (
        "the column 'age' of new.csv holds 'old' in row 2: it must be a number; correct it, or give"
        " --na 'old' if that means missing"
    )
    assert _predict(capsys, model, "age,job\n1e999,clerk\n").startswith("the column 'age'")
    assert _predict(capsys, model, "age,job\n") == "new.csv has no rows below its header"
    assert not Path("out.csv").exists()
    assert _predict(capsys, model, GOOD, "-o", "out.txt") == (
        "-o out.txt must end in .csv or .parquet, or be - for standard output"
    )
    assert _predict(capsys, model, GOOD, "-o", "no/out.csv").endswith("make it first")
    assert _predict(capsys, model, GOOD, "-o", "-", "--id", "key").startswith(
        "new.csv has no column 'key': it has 'age'"
    )
    Path("new.svmlight").write_text("1 1:0.5\n")
    found = _error_of(capsys, "predict", model, "new.svmlight", "-o", "-")
    assert found == "the model has learned from a table of columns, but new.svmlight is none"


def test_mistakes_of_evaluate(capsys, model):
    Path("new.csv").write_text("age,job\n1,clerk\n")
    found = _error_of(capsys, "evaluate", model, "new.csv")
    assert found == "new.csv has no column 'kind': it has 'age', 'job'"
    Path("new.csv").write_text("age,job,kind\n1,clerk,perhaps\n")
    found = _error_of(capsys, "evaluate", model, "new.csv")
    assert found == (
        "new.csv has no row with a class of the model ('no', 'yes'): its 'kind' holds 'perhaps'"
    )


def test_wrong_model_files(capsys, folder):
    Path("new.csv").write_text(GOOD)
    assert _error_of(capsys, "predict", "m.model", "new.csv", "-o", "-") == (
        "there is no model 'm.model': make one with softreg-fast train"
    )
    assert _error_of(capsys, "explain", ".") == ". is a folder: give the path of a model"
    for content in (b"", GOOD.encode(), b"PK\x03\x04" + bytes(50)):
        Path("m.model").write_bytes(content)
        assert "'m.model' is not a model file" in _error_of(capsys, "explain", "m.model")
    bare = SoftmaxClassifier().fit(np.eye(4), [0, 1, 0, 1])
    save(bare, "m.model")
    assert "is a model without a table of columns" in _error_of(capsys, "explain", "m.model")
    document = {"table": {"format": 99}, "training": {}}
    save(bare, "m.model", metadata={"softreg-fast": document})
    assert "the model is of a newer version of softreg-fast" in _error_of(
        capsys, "explain", "m.model"
    )
    document["table"] = {"format": 1, "columns": [{"nam": 1}]}
    save(bare, "m.model", metadata={"softreg-fast": json.loads(json.dumps(document))})
    assert "damaged" in _error_of(capsys, "explain", "m.model")


def test_demo_checks_its_arguments_before_it_reads(capsys):
    for arguments, message in (
        (["--lr", "nan"], "lr=nan is not allowed"),
        (["--epochs", "-3"], "epochs=-3 is not allowed"),
        (["--batch-size", "0"], "batch_size=0 is not allowed"),
        (["--early-stopping", "-1"], "early_stopping=-1 is not allowed"),
    ):
        found = _error_of(capsys, "demo", "--data", "nowhere.csv", "--target", "a", *arguments)
        assert found.startswith(message)


def test_demo_names_a_quantity(capsys):
    Path("t.csv").write_text(
        "\n".join(["a,b", *(f"{place % 5},{place / 7}" for place in range(150)), ""])
    )
    found = _error_of(capsys, "demo", "--data", "t.csv", "--target", "b")
    assert found.startswith("--target 'b' has 150 different numbers in 150 rows")


@pytest.mark.full
def test_demo_needs_no_extra():
    """In a process that has neither pyarrow nor rich."""
    text = (
        "import sys; sys.modules.update(pyarrow=None, rich=None, matplotlib=None)\n"
        "from softreg_fast.cli.main import main\n"
        "main(['demo', '--data', 't.csv', '--target', 'b', '--epochs', '1', '--quiet'])"
    )
    Path("t.csv").write_text("a,b\n1,x\n2,y\n3,x\n")
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("data: t.csv, 3 rows, 1 features\n")


def _refused(capsys, path, *arguments):
    return _error_of(capsys, "train", path, "-o", "m.model", *arguments)


def test_arrays_that_are_no_tables(capsys):
    for array, message in (
        (np.array([{}], object), "x.npy can't be read as a NumPy file"),
        (np.zeros((2, 2, 2)), "x.npy has an array 'x' of dtype float64 and shape (2, 2, 2)"),
        (np.zeros(3, complex), "x.npy has an array 'x' of dtype complex128 and shape (3,)"),
        (np.zeros((0, 2)), "x.npy has no rows below its header"),
    ):
        np.save("x.npy", array)
        assert _refused(capsys, "x.npy", "--target", "x1").startswith(message)
    np.savez("x.npz", a=np.ones(3), b=np.ones(4))
    assert _refused(capsys, "x.npz", "--target", "b") == (
        "x.npz has arrays of 3, 4 rows: all must have as many"
    )


def test_options_that_svmlight_files_do_not_have(capsys):
    Path("x.svmlight").write_text("1 1:0.5\n0 1:2\n" * 5)
    for option, value in (("--target", "y"), ("--drop", "x"), ("--weight", "w")):
        message = _refused(capsys, "x.svmlight", option, value)
        assert message.startswith(f"{option} is not allowed with x.svmlight, which has ")
    assert cli.main(["train", "x.svmlight", "-o", "m.model"]) == 0
    capsys.readouterr()
    message = _error_of(capsys, "predict", "m.model", "x.svmlight", "-o", "-", "--id", "key")
    assert message == "x.svmlight has no columns, such as 'key'"
    message = _error_of(capsys, "predict", "m.model", "t.csv", "-o", "-")
    assert message == "there is no file 't.csv': check the path"


def test_columns_of_types_that_are_no_features(capsys):
    frame = pd.DataFrame(
        {
            "a": np.tile([1.0, 2.0, 3.0], 8),
            "list": [[1]] * 24,
            "day": pd.to_datetime("2020-01-01"),
            "y": ["u", "v"] * 12,
        },
        index=pd.Index(range(5, 29), name="place").astype("float64"),
    )
    frame.to_parquet("t.parquet")
    for target in ("list", "day"):
        message = _refused(capsys, "t.parquet", "--target", target)
        assert message.startswith(f"--target '{target}' is a column of type ")
    assert "columns of type list" in _refused(
        capsys, "t.parquet", "--target", "y", "--keep", "list"
    )
    arguments = ["t.parquet", "--target", "y", "-o", "m.model", "--json", "--validation", "0"]
    assert cli.main(["train", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {each["name"]: each["role"] for each in found["columns"]} == {
        "a": "feature", "list": "left out", "day": "left out", "y": "target", "place": "left out",
    }  # fmt: skip
    frame.assign(a=frame["list"]).to_parquet("new.parquet")
    message = _error_of(capsys, "predict", "m.model", "new.parquet", "-o", "-")
    assert message.startswith("the column 'a' of new.parquet has type list")
    frame.assign(a=frame["day"]).to_parquet("new.parquet")
    message = _error_of(capsys, "predict", "m.model", "new.parquet", "-o", "-")
    assert message.startswith("the column 'a' of new.parquet holds '2020-01-01")


@pytest.mark.runs_if(os.name == "posix")
def test_pipes_are_not_read(capsys):
    os.mkfifo("pipe.csv")
    assert _refused(capsys, "pipe.csv", "--target", "y") == (
        "pipe.csv can't be read more than once: save the table in a file first"
    )
