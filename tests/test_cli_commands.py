"""Commands that are not about tables; and what all commands have in common."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import HANG_GUARD
from sklearn.datasets import load_iris

from softreg_fast.cli import diagnosis
from softreg_fast.cli import main as cli
from softreg_fast.persistence import load

COMMANDS = [
    "train", "predict", "evaluate", "explain", "export", "doctor", "demo", "warm-up",
    "build-kernels", "completion",
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-W", "error", "-m", "softreg_fast", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=HANG_GUARD, env=environment
    )


def _flowers():
    features, labels = load_iris(return_X_y=True)
    frame = pd.DataFrame(features, columns=["a", "b", "c", "d"])
    frame["kind"] = np.array(["setosa", "versicolor", "virginica"])[labels]
    frame.to_csv("flowers.csv", index=False)
    return frame


def test_help_imports_nothing_that_is_slow():
    text = (
        "import sys\n"
        "from softreg_fast.cli.main import make_parser\n"
        "make_parser().format_help()\n"
        "slow = {'numpy', 'numba', 'sklearn', 'scipy', 'pyarrow', 'rich', 'matplotlib', 'joblib'}\n"
        "print(sorted(slow & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == "[]\n"


def test_every_command_has_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command}\b", text, re.MULTILINE)
        with pytest.raises(SystemExit, match="0"):
            cli.main([command, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: softreg-fast {command}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_complete_every_command_and_option(capsys, shell):
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for command in COMMANDS:
        assert command in script
    for option in ("solver", "l1-ratio", "proba", "top", "dialect", "check", "early-stopping"):
        assert re.search(rf"-{option}\b|-l {option}\b", script)
    for value in ("lbfgs", "duckdb"):
        assert value in script
    program = shutil.which(shell)
    if program is not None:
        done = subprocess.run(
            [program, "-n"], input=script, text=True, check=False, capture_output=True
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.runs_if(shutil.which("bash") is not None)
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["tr"], ["train"]),
        (["build-kernels", "--che"], ["--check"]),
        (["train", "t.csv", "--solver", "n"], ["newton"]),
        (["completion", "f"], ["fish"]),
        (["completion", "''"], ["bash", "zsh", "fish"]),
        (["doctor", "-"], ["-h", "--help", "--json"]),
        (["train", "''"], []),
        (["train", "t.csv", "--plot", "''"], []),
    ],
)
def test_bash_completes(capsys, words, found):
    cli.main(["completion", "bash"])
    script = capsys.readouterr().out
    call = f"COMP_WORDS=(softreg-fast {' '.join(words)}); COMP_CWORD={len(words)}; _softreg_fast"
    done = subprocess.run(
        ["bash", "-c", f'{script}\n{call}\necho "${{COMPREPLY[@]}}"'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == found


def test_doctor_finds_nothing_wrong_here(capsys, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert text.endswith("all is well\n")
    for word in ("numba", "CPU", "vectors of", "compiled code", "extra cli", "at the optimum"):
        assert word in text
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["is_well"] is True
    (threads,) = [each for each in found["checks"] if each["name"] == "threads"]
    assert threads["text"] == "1" or threads["text"].endswith(
        "OMP_NUM_THREADS=1 in the environment"
    )


def test_doctor_says_what_is_wrong(capsys, monkeypatch):
    def broken():
        raise OSError("no\nlibrary")
        yield

    monkeypatch.setitem(diagnosis._LOOKS, "CPU", broken)
    monkeypatch.setattr(diagnosis, "version", lambda name: "0.1")
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None)
    assert cli.main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["is_well"] is False
    checks = {each["name"]: each for each in found["checks"]}
    assert checks["CPU"]["text"] == "OSError: no library"
    assert checks["numba"]["state"] == "bad"
    assert checks["numba"]["remedy"] == 'pip install "numba>=0.62"'
    assert checks["extra cli"]["remedy"] == 'pip install "softreg-fast[cli]"'
    assert checks["extra cli"]["state"] == "note"


def test_doctor_without_a_folder_for_compiled_code(monkeypatch):
    folders = "softreg_fast.kernels.compile.cache_folders"
    monkeypatch.setattr(f"{folders}.writable_folders", lambda: ())
    found = list(diagnosis._look_at_folders())
    assert (found[0].state, found[0].name) == ("bad", "compiled code")
    assert "NUMBA_CACHE_DIR" in found[0].remedy


@pytest.fixture
def model(capsys):
    frame = _flowers()
    frame["size"] = np.where(frame["a"] > 5.8, "large", "small")
    frame.to_csv("t.csv", index=False)
    assert cli.main(["train", "t.csv", "--target", "kind", "-o", "m.model", "--json"]) == 0
    capsys.readouterr()
    return frame


def test_model_becomes_python(capsys, model):
    assert cli.main(["export", "m.model", "--format", "python", "-o", "m.py"]) == 0
    assert capsys.readouterr().err.startswith("note: missing numbers are filled first: 'a' 5.8, ")
    names = {}
    exec(Path("m.py").read_text(), names)
    row = {name: model[name].iloc[60] for name in ("a", "b", "c", "d", "size")}
    frame = model.astype({"size": "category"})[["a", "b", "c", "d", "size"]].iloc[60:61]
    np.testing.assert_allclose(
        names["predict_proba"](row), load("m.model").predict_proba(frame)[0], rtol=1e-10
    )


def test_model_becomes_other_texts(capsys, model):
    for kind, word in (("c", "double"), ("json", '"small"')):
        assert cli.main(["export", "m.model", "--format", kind, "-o", "-"]) == 0
        assert word in capsys.readouterr().out
    arguments = ["export", "m.model", "--format", "sql", "-o", "-"]
    assert cli.main([*arguments, "--table", "new flowers", "--id", "key"]) == 0
    text = capsys.readouterr().out
    assert '"new flowers"' in text
    assert '"key"' in text
    for wrong, message in (
        ([], "--format sql needs --table NAME"),
        (["--format", "json", "--table", "t"], "--table and --id are not allowed with --format"),
    ):
        with pytest.raises(SystemExit, match="2"):
            cli.main([*arguments, *wrong])
        assert message in capsys.readouterr().err


def test_interrupts_give_130(capsys, monkeypatch):
    _flowers()

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("softreg_fast.cli.training_results.train", interrupted)
    assert cli.main(["train", "flowers.csv", "--target", "kind", "-o", "m.model", "--json"]) == 130
    assert capsys.readouterr().err == "interrupted\n"
    assert not Path("m.model").exists()


@pytest.mark.full
@pytest.mark.runs_if(hasattr(signal, "SIGINT") and sys.platform != "win32")
def test_interrupts_of_a_process_give_130():
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(50_000, 40)).round(3))
    frame["y"] = random.integers(0, 30, len(frame))
    frame.to_csv("large.csv", index=False)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    # Processes in the background of a shell ignore the signal, and so do those that they start.
    program = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "runpy.run_module('softreg_fast', run_name='__main__')"
    )
    command = [sys.executable, "-c", program, "train", "large.csv", "--target", "y"]
    with subprocess.Popen(
        [*command, "-o", "m.model", "--cv", "50"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdout.readline().startswith("data: large.csv")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors == "interrupted\n"
    assert not Path("m.model").exists()


@pytest.mark.full
def test_reader_that_goes_away_does_not_stop_training():
    _flowers()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "softreg_fast", "train", "flowers.csv", "--target", "kind"]
    with subprocess.Popen(
        [*command, "-o", "m.model"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
    assert load("m.model").score(_flowers()[["a", "b", "c", "d"]], _flowers()["kind"]) > 0.9


def _adults(n_rows):
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "age": random.integers(17, 90, n_rows),
            "workclass": random.choice(["Private", "State-gov", "?"], n_rows, p=[0.7, 0.2, 0.1]),
            "education": random.choice(["HS-grad", "Bachelors", "Masters"], n_rows),
            "sex": random.choice(["Male", "Female"], n_rows),
            "hours-per-week": random.normal(40, 10, n_rows).round(),
            "married": random.random(n_rows) < 0.5,
            "last seen": pd.Timestamp("2020-01-01")
            + pd.to_timedelta(random.integers(0, 900, n_rows), "D"),
            "comment": [f"comment no. {place}" for place in range(n_rows)],
        }
    )
    logits = (frame["age"] - 45) / 15 + (frame["education"] == "Masters") + frame["married"] * 1.5
    logits += (frame["hours-per-week"] - 40) / 10
    frame["income"] = np.where(logits + random.logistic(size=n_rows) > 1.5, ">50K", "<=50K")
    frame.loc[frame.index[::37], "hours-per-week"] = np.nan
    return frame


@pytest.mark.full
def test_newcomer_goes_from_a_file_to_predictions():
    frame = _adults(4_000)
    frame.iloc[:3_000].to_csv("adults.csv")
    new = frame.iloc[3_000:]
    new.to_csv("new.csv")
    done = _run(
        "train", "adults.csv", "--target", "income", "-o", "adults.model",
        "--plot", "adults.png", "--report", "adults.html",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    for line in (
        "column 1        left out  it is unnamed, as an index is",
        "workclass       feature   2 categories;",
        "last seen       left out  dates are no features",
        "comment         left out  it has 3,000 different texts",
        "hours-per-week  feature   number; 82 missing, filled with the median 40",
    ):
        assert line in done.stdout
    assert Path("adults.png").read_bytes().startswith(b"\x89PNG")
    page = Path("adults.html").read_text(encoding="utf-8")
    assert "&lt;=50K" in page
    assert "<=50K" not in page
    assert "the model has learned from all of them. C = 1.0, " in page
    assert "<h3>&gt;50K, against &lt;=50K</h3>" in page
    assert "data:image/png;base64," in page

    done = _run("predict", "adults.model", "new.csv", "-o", "out.parquet", "--proba")
    assert done.returncode == 0, done.stderr
    out = pd.read_parquet("out.parquet")
    assert list(out) == ["prediction", "probability_<=50K", "probability_>50K"]
    accuracy = (out["prediction"].to_numpy() == new["income"].to_numpy()).mean()
    done = _run("evaluate", "adults.model", "new.csv", "--json", "--plot", "new.png")
    found = json.loads(done.stdout)
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert found["metrics"]["accuracy"] > found["baseline"]["accuracy"] + 0.1
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")

    done = _run("explain", "adults.model", "--top", "3")
    assert done.stdout.startswith(">50K, against <=50K\n")
    assert "\nage " in done.stdout


def test_picture_and_page(capsys, model):
    arguments = ["train", "t.csv", "--target", "kind", "-o", "m.model", "--plot", "p.png"]
    assert cli.main([*arguments, "--report", "r.html"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:-2] == ["picture: p.png", "page: r.html"]
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    page = Path("r.html").read_text(encoding="utf-8")
    for text in ("balanced accuracy", "data:image/png;base64,", "virginica", "size_large"):
        assert text in page
    assert cli.main(["evaluate", "m.model", "t.csv", "--plot", "e.png"]) == 0
    assert capsys.readouterr().out.endswith("\n\npicture: e.png\n")
    assert Path("e.png").read_bytes().startswith(b"\x89PNG")


def test_many_classes_are_shortened(capsys):
    labels = np.repeat(np.arange(30), 4)
    pd.DataFrame({"a": labels * 1.0, "b": labels % 7, "kind": labels}).to_csv("t.csv", index=False)
    assert cli.main(["train", "t.csv", "--target", "kind", "-o", "m.model", "--cv", "2"]) == 0
    assert "... and 10 more classes\n" in capsys.readouterr().out
    assert cli.main(["evaluate", "m.model", "t.csv"]) == 0
    assert "the confusion matrix of 30 classes is in --json" in capsys.readouterr().out


def test_intervals_are_shown(capsys, model):
    random = np.random.default_rng(0)
    frame = model.assign(kind=random.choice(["u", "v"], len(model)))
    frame.to_csv("t.csv", index=False)
    cli.main(["train", "t.csv", "--target", "kind", "-o", "m.model", "--C", "inf", "--json"])
    capsys.readouterr()
    assert cli.main(["explain", "m.model"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "v, against u"
    assert lines[2].split()[3:] == ["2.5", "%", "97.5", "%", "p", "odds", "ratio", "of", "1", "sd"]
    assert any(line.startswith("size_") for line in lines)
    assert lines[-2] == "categories are compared with"
    assert lines[-1].startswith("  size: ")


def test_coefficients_have_the_names_of_their_categories(capsys):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"code": random.choice([2, 9, 10], 300), "a": random.normal(size=300)})
    frame["kind"] = np.where(frame["code"] == 10, "u", random.choice(["v", "w"], 300))
    frame.loc[:2, ["code", "kind"]] = [77, None]  # a category that no row with a class has
    frame.to_csv("t.csv", index=False)
    arguments = ["train", "t.csv", "--target", "kind", "-o", "m.model", "--categorical", "code"]
    for more in ([], ["--in-blocks"], ["--standardize"]):
        assert cli.main([*arguments, "--json", *more]) == 0
        found = json.loads(capsys.readouterr().out)["coefficients"][0]
        assert found["class"] == "u"
        largest = found["coefficients"][0]
        assert (largest["name"], largest["coefficient"] > 2.0) == ("code_10", True)
        assert cli.main(["explain", "m.model"]) == 0
        assert capsys.readouterr().out.splitlines()[3].startswith("code_10 ")


@pytest.mark.full
@pytest.mark.parametrize("n_classes", [2, 30])
def test_pictures_and_pages_of_few_and_many_classes(n_classes, capsys):
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_classes), 20)
    frame = pd.DataFrame(
        {"a $x$ <b>": labels + random.normal(size=len(labels)), "kind": labels}
    ).astype({"kind": str})
    frame["kind"] = "<i>$a_" + frame["kind"] + "$ a very long name of a class"
    frame.to_csv("t.csv", index=False)
    for more in ([], ["--cv", "3"], ["--validation", "0"]):
        assert cli.main([
            "train", "t.csv", "--target", "kind", "-o", "m.model", "--plot", "p.png", "--report",
            "r.html", "--json", *more,
        ]) == 0  # fmt: skip
        page = Path("r.html").read_text(encoding="utf-8")
        assert "<i>" not in page
        assert "<b>" not in page
        assert Path("p.png").stat().st_size > 5_000
    json.loads(capsys.readouterr().out.split("\n}\n")[0] + "}")


@pytest.mark.full
def test_model_of_numbers_becomes_onnx(capsys):
    from onnxruntime import InferenceSession

    frame = _flowers()
    cli.main(["train", "flowers.csv", "--target", "kind", "-o", "m.model", "--json"])
    assert cli.main(["export", "m.model", "--format", "onnx", "-o", "m.onnx"]) == 0
    session = InferenceSession("m.onnx")
    features = frame[["a", "b", "c", "d"]]
    labels, probabilities = session.run(None, {"X": features.to_numpy()})
    model = load("m.model")
    np.testing.assert_allclose(probabilities, model.predict_proba(features), rtol=1e-6, atol=1e-9)
    assert (labels == model.predict(features)).all()
