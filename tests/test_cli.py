"""The command, as a process of its own and in this one."""

import bz2
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import HANG_GUARD

from softreg_fast import SoftmaxRegressor
from softreg_fast.cli import main as cli

NUMBER = r"[-+\d.e]+"
TABLE = re.compile(
    rf"""
training, (?P<epochs>\d+) epochs with their accuracies \(median of 3, warm\)
  plain NumPy \(reference\.py\)            {NUMBER} s
  compiled kernels                      {NUMBER} s, {NUMBER} times as fast
  compiling them, or loading from disk  {NUMBER} s, not included above
  largest difference between the two    (?P<difference>{NUMBER}) \(losses, coefficients, biases\)

gradient     epochs  final loss  final accuracy
notebook +(?P=epochs) +(?P<loss>{NUMBER}) +(?P<accuracy>{NUMBER})
exact +\d+ +(?P<exact_loss>{NUMBER}) +{NUMBER}

two samples of the classes \[1, 0\], all coefficients and biases one
"""
)


def _run(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "softreg_fast", *arguments],
        capture_output=True, text=True, check=False, timeout=HANG_GUARD,
    )  # fmt: skip


def test_demo_on_iris_is_the_notebook(iris):
    x, y = iris
    result = _run("demo", "--epochs", "60", "--lr", "0.4", "--batch-size", "16")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    np.random.seed(0)
    model = SoftmaxRegressor(0.4, verbose=False).fit(x, y, 60, 16, 10)

    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "data: iris, 150 rows, 4 features",
        "classes: 0 = setosa, 1 = versicolor, 2 = virginica",
        "SoftmaxRegressor(0.4).fit(X, y, 60, 16, 10)",
    ]
    assert lines[3:63] == [
        f"Epoch: #{epoch} - Loss: {model.losses_[epoch]} - Acc: {model.accuracies_[epoch]:.2f}"
        for epoch in range(60)
    ]
    assert lines[63:67] == [
        "X[None, 40, :]",
        str(x[None, 40, :]),
        "model.predict(X[None, 40, :], False)",
        str(model.predict(x[None, 40, :])),
    ]
    found = TABLE.search(result.stdout)
    assert found
    assert found["epochs"] == "60"
    assert float(found["difference"]) < 1e-12
    np.testing.assert_allclose(float(found["loss"]), model.losses_[-1], atol=1e-6)
    assert float(found["exact_loss"]) < float(found["loss"])


def test_demo_ends_as_the_notebook_does(flowers, capsys):
    golden = json.loads((Path(__file__).parent / "data" / "two_samples.json").read_text())
    cli.main(["demo", "--data", str(flowers), "--target", "kind", "--epochs", "1", "--quiet"])
    last = capsys.readouterr().out.split("all coefficients and biases one\n")[1]
    numbers = [float(number) for number in re.findall(r"-?\d+\.\d*(?:e[-+]\d+)?", last)]
    shown = [golden["samples"], golden["preds"], golden["losses"]]
    for gradient in ("notebook", "exact"):
        shown += [golden[gradient]["dcoeffs"], golden[gradient]["dbiases"]]
    np.testing.assert_allclose(
        numbers, np.concatenate([np.ravel(each) for each in shown]), rtol=1e-7
    )
    assert last.splitlines()[-1].startswith("All probabilities are equal here")


@pytest.fixture
def flowers(tmp_path):
    path = tmp_path / "flowers.csv"
    random = np.random.default_rng(0)
    rows = [
        f"{random.normal(mean):.3f},{name},{random.normal(-mean):.3f}"
        for _ in range(10)
        for mean, name in [(0, "red rose"), (3, '"tulip, blue"'), (-3, "daisy")]
    ]
    path.write_text("\n".join(["width,kind,height", *rows, ""]), encoding="utf-8-sig")
    return path


def test_demo_on_a_table_names_the_classes(flowers, capsys):
    arguments = ["demo", "--data", str(flowers), "--target", "kind", "--epochs", "20", "--quiet"]
    assert cli.main(arguments) == 0
    output = capsys.readouterr().out
    assert output.startswith(
        "data: flowers.csv, 30 rows, 2 features\n"
        "classes: 0 = daisy, 1 = red rose, 2 = tulip, blue\n"
        "SoftmaxRegressor(0.5).fit(X, y, 20, 30, 10)\n"
        "X[None, 29, :]\n"
    )
    assert TABLE.search(output)
    assert "Epoch:" not in output


def test_seed_decides_everything_but_the_times(flowers, capsys):
    outputs = []
    for seed in ("1", "1", "2"):
        cli.main(
            ["demo", "--data", str(flowers), "--target", "kind", "--epochs", "9", "--seed", seed]
        )
        outputs.append(capsys.readouterr().out.split("training,")[0])
    assert outputs[0] == outputs[1] != outputs[2]


def test_numeric_labels_are_named_in_numeric_order(tmp_path, capsys):
    path = tmp_path / "numbers.csv"
    path.write_text("a,label\n1,10\n2,9\n3,-1\n4,10\n5,nan\n")
    cli.main(["demo", "--data", str(path), "--target", "label", "--epochs", "1", "--quiet"])
    assert "classes: 0 = -1, 1 = 9, 2 = 10, 3 = nan\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a,b\n1,x\n2,y\n", "--target 'kind' names 0 columns of .* one of ['a', 'b']"),
        ("kind,kind\nx,y\n", "--target 'kind' names 2 columns"),
        ("", "table.csv is empty"),
        ("a,kind\n1,x\ntwo,y\n", "line 3: 'two' in column 'a' is no finite number"),
        ("a,kind\n1,x\n,y\n", "line 3: '' in column 'a' is no finite number"),
        ("a,kind\n1,x\ninf,y\n", "line 3: 'inf' in column 'a' is no finite number"),
        ("a,kind\n1,x\n2\n", "line 3: 1 columns; the header has 2"),
        ("a,kind\n1,x\n2,x\n", "has 1 classes in column 'kind'"),
        ("a,kind\n", "has 0 classes"),
        ("kind\nx\ny\n", "0 other columns"),
        ("a,kind\n3,x\n3,y\n", "range from 3.0 to 3.0"),
        ("a,kind\n1e308,x\n-1e308,y\n", "range from -1e+308 to 1e+308"),
        ("a,kind\n3,x\n4,\n", "line 3: no label in column 'kind'"),
        ('a,kind\n3,x\n4,"y' + 200_000 * "y", "after line 2: field larger than field limit"),
        ("a,kind\n3,x\n4,\udcff\n", "line 3: byte 0xff is not UTF-8: give .* --encoding latin-1"),
    ],
)
def test_unusable_tables_are_refused(tmp_path, capsys, table, message):
    path = tmp_path / "table.csv"
    path.write_text(table, errors="surrogateescape")
    with pytest.raises(SystemExit, match="2"):
        cli.main(["demo", "--data", str(path), "--target", "kind"])
    captured = capsys.readouterr()
    for part in message.split(" .* "):
        assert part in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lr", "0"], "lr=0.0 is not allowed"),
        (["--epochs", "0"], "epochs=0 is not allowed"),
        (["--batch-size", "151"], "batch_size=151 is not allowed"),
        (["--seed", "-1"], "seed=-1 is not allowed: it must be an integer from 0 to 4294967295"),
        (["--data", "table.csv"], "--data FILE.csv and --target COLUMN must be given together"),
        (["--target", "kind"], "must be given together"),
        (["--data", "nowhere.csv", "--target", "kind"], "No such file"),
        (["--epochs", "many"], "invalid int value: 'many'"),
    ],
)
def test_wrong_arguments_are_refused(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["demo", "--quiet", *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.full
def test_reader_that_goes_away_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "softreg_fast", "demo", "--epochs", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "data: iris, 150 rows, 4 features\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_help_and_version():
    assert "demo" in _run("--help").stdout
    assert re.fullmatch(r"softreg-fast \d+\.\d+\.\d+\n", _run("--version").stdout)
    assert _run().returncode == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "size;kind\n1;blå\n2;rød\n3;blå\n".encode("utf-16")),
        ("t.csv", "size\tkind\n1\tblå\n2\trød\n3\tblå\n".encode("utf-8-sig")),
        ("t.tsv", "size\tkind\r\n1\tblå\r\n2\trød\r\n3\tblå".encode()),
        ("t.csv.gz", gzip.compress("size|kind\n1|blå\n2|rød\n3|blå\n".encode(), mtime=0)),
        ("t.csv", bz2.compress("\n\nsize, kind\n1, blå\n\n2, rød\n3, blå\n".encode())),
    ],
)
def test_demo_reads_tables_of_many_forms(tmp_path, capsys, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert cli.main(["demo", "--data", str(path), "--target", "kind", "--epochs", "1"]) == 0
    assert f"data: {name}, 3 rows, 1 features\nclasses: 0 = blå, 1 = rød\n" in (
        capsys.readouterr().out
    )


def test_demo_takes_an_encoding(tmp_path, capsys):
    path = tmp_path / "t.csv"
    path.write_bytes("size,kind\n1,blå\n2,rød\n".encode("latin-1"))
    arguments = ["demo", "--data", str(path), "--target", "kind", "--epochs", "1"]
    with pytest.raises(SystemExit, match="2"):
        cli.main(arguments)
    assert "t.csv, line 2: byte 0xe5 is not UTF-8" in capsys.readouterr().err
    assert cli.main([*arguments, "--encoding", "latin-1"]) == 0
    assert "classes: 0 = blå, 1 = rød\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "values"),
    [("", range(30)), ("place", range(30, 0, -1)), ("flower_id", np.arange(30) ** 2 % 1009)],
)
def test_demo_leaves_out_what_numbers_the_rows(tmp_path, capsys, name, values):
    path = tmp_path / "t.csv"
    rows = [f"{place},{at % 7},{at % 3}" for at, place in enumerate(values)]
    path.write_text("\n".join([f"{name},size,kind", *rows, ""]))
    assert cli.main(["demo", "--data", str(path), "--target", "kind", "--epochs", "1"]) == 0
    assert capsys.readouterr().out.startswith(
        "data: t.csv, 30 rows, 1 features\n"
        f"left out, since they number the rows: {name or '(unnamed)'}\n"
    )
