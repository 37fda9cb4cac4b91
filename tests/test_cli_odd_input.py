"""What the command line makes of files, names and values that are odd, or wrong in odd ways."""

import io
import json
import lzma
import os
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from softreg_fast.cli import main as cli
from softreg_fast.persistence import load_with_metadata, save

N_ROWS = 60


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(capsys, *arguments):
    """The JSON document, or None where there is none."""
    assert cli.main([str(each) for each in arguments]) == 0
    text = capsys.readouterr().out
    return json.loads(text) if "--json" in arguments else text


def _error_of(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_of:
        cli.main([str(each) for each in arguments])
    assert exit_of.value.code == 2
    *_, line = capsys.readouterr().err.splitlines()
    return line.partition(": error: ")[2]


def _refused(capsys, name, *arguments):
    return _error_of(capsys, "train", name, "--target", "kind", "-o", "m.model", *arguments)


def _train(capsys, name, *arguments, target="kind"):
    chosen = [] if target is None else ["--target", target]
    return _run(capsys, "train", name, *chosen, "-o", "m.model", "--json", *arguments)


def _table(labels, name="table.csv", values=None):
    values = [place % 7 / 2 for place in range(len(labels))] if values is None else values
    rows = [f"{value},{label}" for value, label in zip(values, labels, strict=True)]
    Path(name).write_text("\n".join(["a,kind", *rows, ""]), encoding="utf-8")
    return name


# svmlight files: where indices begin


def _svmlight(name, X, y, first, *, leaves_out=()):
    lines = [
        " ".join([str(label), *(
            f"{place + first}:{value!r}"
            for place, value in enumerate(row) if place not in leaves_out
        )])
        for row, label in zip(X.tolist(), y.tolist(), strict=True)
    ]  # fmt: skip
    Path(name).write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize("first", [0, 1])
def test_features_stay_in_place_in_svmlight_files_without_the_first_one(capsys, first):
    random = np.random.default_rng(first)
    y = np.arange(N_ROWS) % 3
    X = np.eye(3)[y] * 3 + random.standard_normal((N_ROWS, 3))
    _svmlight("all.svmlight", X, y, first)
    _train(capsys, "all.svmlight", target=None)
    X[:, 0] = 0.0
    _svmlight("zeros.svmlight", X, y, first)
    _svmlight("fewer.svmlight", X, y, first, leaves_out=(0,))
    expected = _run(capsys, "evaluate", "m.model", "zeros.svmlight", "--json")
    found = _run(capsys, "evaluate", "m.model", "fewer.svmlight", "--json")
    assert found["metrics"] == expected["metrics"]
    assert found["metrics"]["accuracy"] > 0.5


def test_svmlight_files_of_other_indices(capsys):
    X, y = np.eye(2)[np.arange(N_ROWS) % 2], np.arange(N_ROWS) % 2
    _svmlight("one.svmlight", X + 1.0, y, 1)
    _svmlight("zero.svmlight", X + 1.0, y, 0)
    _train(capsys, "one.svmlight", target=None)
    assert _error_of(capsys, "evaluate", "m.model", "zero.svmlight") == (
        "zero.svmlight has a feature of index 0, but indices must begin at 1: add 1 to all of them"
    )


# Labels that Python takes for numbers


@pytest.mark.parametrize("odd", ["1_1", "\u0661\u0661"])
def test_labels_that_only_python_takes_for_numbers(capsys, odd):
    _table([["11", odd, "12"][place % 3] for place in range(N_ROWS)])
    document = _train(capsys, "table.csv")
    assert sorted(each["class"] for each in document["classes"]) == sorted(["11", "12", odd])


def test_such_labels_are_not_those_of_a_model_of_integers(capsys):
    _table([["11", "12"][place % 2] for place in range(N_ROWS)])
    _train(capsys, "table.csv")
    _table([["11", "1_1"][place % 2] for place in range(N_ROWS)], "new.csv")
    document = _run(capsys, "evaluate", "m.model", "new.csv", "--json")
    assert document["n_rows_of_unknown_classes"] == N_ROWS // 2


def test_the_demonstration_takes_no_such_number(capsys):
    Path("table.csv").write_text("a,kind\n1_0,u\n2,v\n3,u\n4,v\n")
    assert "'1_0' in column 'a' is no finite number" in _error_of(
        capsys, "demo", "--data", "table.csv", "--target", "kind"
    )


# Numbers that are none, or too large


def test_commas_that_may_part_thousands(capsys):
    _table(["u", "v"] * 15, values=['"1,234"', '"12,345"', "17"] * 10)
    found = _error_of(capsys, "train", "table.csv", "--target", "kind", "-o", "m.model")
    assert found == (
        "the column 'a' of table.csv has commas in numbers, such as '1,234': if they part "
        'thousands, take them out; if decimals, give --decimal ","'
    )


@pytest.mark.parametrize("arguments", [[], ["--standardize"], ["--C", "inf"]])
def test_numbers_whose_squares_are_too_large(capsys, arguments):
    _table(["u", "v"] * 15, values=[1e160, -1e160] * 15)
    found = _error_of(capsys, "train", "table.csv", "--target", "kind", "-o", "m.model", *arguments)
    assert found.startswith("the column 'a' of table.csv has numbers from -1e+160 to 1e+160, whose")


# NumPy files


def _error_of_arrays(capsys, **arrays):
    np.savez("table.npz", y=np.arange(N_ROWS) % 2, **arrays)
    return _error_of(capsys, "train", "table.npz", "--target", "y", "-o", "m.model")


def test_names_of_arrays_that_clash(capsys):
    X = np.arange(2.0 * N_ROWS).reshape(N_ROWS, 2) ** 0.5
    for arrays in ({"x": X, "x0": X[:, 0]}, {"x0": X[:, 0], "x": X}):
        assert _error_of_arrays(capsys, **arrays).startswith("table.npz has 2 columns 'x0', since")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(N_ROWS, np.longdouble), np.zeros(N_ROWS, complex), np.zeros(N_ROWS, "M8[Y]"),
        np.full(N_ROWS, "NaT", "M8"), np.zeros(N_ROWS, "S2"), np.zeros(N_ROWS, "m8[s]"),
        np.zeros(N_ROWS, [("p", complex)]), np.zeros(N_ROWS, [("p", [("q", float)])]),
        np.zeros((N_ROWS, 2), [("p", float)]),
    ],
    ids=lambda array: f"{array.dtype}{array.ndim}",
)  # fmt: skip
def test_arrays_of_other_values(capsys, array):
    found = _error_of_arrays(capsys, z=array)
    assert "it must hold numbers, texts, booleans or dates, in one or two dimensions" in found


def test_fields_of_arrays_of_other_machines(capsys):
    table = np.zeros(N_ROWS, [("a", ">f8"), ("b", "<f8", (2,)), ("kind", ">i4")])
    table["a"], table["kind"] = np.arange(N_ROWS) % 7 / 2, np.arange(N_ROWS) % 2
    table["b"] = np.arange(2.0 * N_ROWS).reshape(N_ROWS, 2) ** 0.5
    np.save("table.npy", table)
    columns = _train(capsys, "table.npy")["columns"]
    assert [each["name"] for each in columns] == ["a", "b0", "b1", "kind"]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_arrays(capsys, seed):
    random = np.random.default_rng(seed)
    content = io.BytesIO()
    np.savez_compressed(content, x=random.standard_normal((N_ROWS, 2)), y=np.arange(N_ROWS) % 2)
    for _ in range(30):
        damaged = bytearray(content.getvalue())
        damaged[random.integers(30, len(damaged) // 2)] ^= 1 << int(random.integers(8))
        Path("table.npz").write_bytes(damaged)
        with suppress(SystemExit):  # which is what errors that are named leave by
            cli.main(["train", "table.npz", "--target", "y", "-o", "m.model"])
        assert "Traceback" not in capsys.readouterr().err


# Text files


@pytest.mark.parametrize("encoding", ["rot13", "base64", "hex", "zlib"])
def test_codecs_that_are_no_encodings(capsys, encoding):
    _table(["u", "v"] * 20)
    found = _error_of(
        capsys, "train", "table.csv", "--target", "kind", "-o", "m.model", "--encoding", encoding
    )
    assert found.startswith(f"--encoding {encoding} is unknown: give one such as")


def test_names_of_columns_without_an_end(capsys):
    Path("table.csv").write_text(f'a,"{"b" * 200_000}",kind\n1,2,u\n')
    found = _error_of(capsys, "train", "table.csv", "--target", "kind", "-o", "m.model")
    assert found.startswith("table.csv, line 1: the names of the columns can't be read: field")


def test_text_that_is_damaged_behind_its_beginning(capsys):
    random = np.random.default_rng(0)
    _table(["u", "v"] * 20_000, values=random.random(40_000))
    packed = bytearray(lzma.compress(Path("table.csv").read_bytes(), check=lzma.CHECK_NONE))
    packed[len(packed) // 2] ^= 255
    Path("table.csv.xz").write_bytes(packed)
    found = _error_of(capsys, "train", "table.csv.xz", "--target", "kind", "-o", "m.model")
    assert found.startswith("table.csv.xz can't be read as a CSV file: Corrupt input data; if")


# Outputs


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["--plot", "./m.model"], "--plot ./m.model"),
        (["--report", "m.model"], "--report m.model"),
        (["--plot", "p.png", "--report", "./p.png"], "--report ./p.png"),
    ],
)
def test_two_outputs_in_one_file(capsys, arguments, option):
    _table(["u", "v"] * 20)
    found = _error_of(capsys, "train", "table.csv", "--target", "kind", "-o", "m.model", *arguments)
    assert found == f"{option} is also given as another output: give another file"
    assert list(Path().iterdir()) == [Path("table.csv")]


@pytest.mark.runs_if(hasattr(os, "mkfifo"))
def test_models_in_pipes(capsys):
    os.mkfifo("pipe")
    found = _error_of(capsys, "explain", "pipe")
    assert found == "pipe is no regular file: save the model in one first"


def _closed(stream, *arguments):
    code = (
        f"import os, sys; os.close({stream}); os.execv(sys.executable, [sys.executable, '-m', "
        "'softreg_fast', *sys.argv[1:]])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.full
def test_standard_streams_that_are_closed(capsys):
    _table(["u", "v"] * 20)
    _train(capsys, "table.csv")
    done = _closed(1, "explain", "m.model")
    assert (done.returncode, done.stderr) == (0, "")
    done = _closed(1, "predict", "m.model", "table.csv", "-o", "-")
    assert done.returncode == 2
    assert done.stderr.endswith("error: -o - is standard output, which is closed\n")
    assert _closed(2, "predict", "m.model", "table.csv", "-o", "p.csv").returncode == 0
    assert len(Path("p.csv").read_text().splitlines()) == 41


def test_classes_that_standard_output_has_no_characters_of(monkeypatch):
    labels = ["\N{SNOWMAN}", "\N{GRINNING FACE}"]
    _table(labels * 20)
    for more in ([], ["--json"]):
        content = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, "latin-1"))
        arguments = ["table.csv", "--target", "kind", "-o", "m.model", *more]
        assert cli.main(["train", *arguments]) == 0
        sys.stdout.flush()
        text = content.getvalue().decode("latin-1")
    found = json.loads(text)["classes"]
    assert [each["class"] for each in found] == labels


def test_more_folds_than_any_number_of_rows(capsys):
    _table(["u", "v"] * 20)
    found = _error_of(
        capsys, "train", "table.csv", "--target", "kind", "-o", "m.model", "--cv", "9" * 20
    )
    assert found.startswith(f"--cv {'9' * 20} is too many folds for 40 rows")


# Identifiers of all types


def _identified(capsys, column):
    place = np.arange(N_ROWS)
    kinds = [["u", "v"][each % 2] for each in place]
    table = pa.table({"a": place % 7 / 2, "key": column, "kind": kinds})
    feather.write_feather(table, "table.feather", compression="uncompressed", chunksize=7)
    _train(capsys, "table.feather", "--drop", "key")
    return ["predict", "m.model", "table.feather", "--id", "key", "-o"]


def test_identifiers_that_a_text_has_no_form_of(capsys):
    command = _identified(capsys, pa.array([[1, 2]] * N_ROWS))
    assert _error_of(capsys, *command, "p.csv") == (
        "--id 'key' is a column of type list<item: int64>, which CSV doesn't have: leave it out, "
        "or give -o FILE.parquet"
    )
    assert not Path("p.csv").exists()
    _run(capsys, *command, "p.parquet")
    assert parquet.read_table("p.parquet")["key"].to_pylist() == [[1, 2]] * N_ROWS


@pytest.mark.parametrize("values", [["x", None], [1, 2], [datetime(2024, 1, 2), None]])
def test_identifiers_from_dictionaries(capsys, values):
    codes = pa.array([place % 2 for place in range(N_ROWS)], pa.int8())
    command = _identified(capsys, pa.DictionaryArray.from_arrays(codes, pa.array(values)))
    _run(capsys, *command, "p.parquet")
    assert parquet.read_table("p.parquet")["key"].to_pylist() == values * (N_ROWS // 2)
    _run(capsys, *command, "p.csv")
    assert len(Path("p.csv").read_text().splitlines()) == N_ROWS + 1


# Which category a coefficient belongs to


def _coded(name, *, more=()):
    """Rows whose label depends on a code, and further ones."""
    random = np.random.default_rng(0)
    shares = {"2": 0.9, "10": 0.1, "9": 0.5, "-": 0.3}
    rows = []
    for place in range(400):
        code = list(shares)[place % 4]
        label = "yes" if random.random() < shares[code] else "no"
        rows.append(f"{code},{random.standard_normal():.3f},{label}")
    Path(name).write_text("\n".join(["code,x,kind", *rows, *more, ""]))
    return name


def _coefficients(document):
    (of_class,) = document["coefficients"]
    return {each["name"]: each["coefficient"] for each in of_class["coefficients"]}


@pytest.mark.parametrize(
    "more", [(), ["7,1.0,"] * 9 + [",2.0,NA"] * 9], ids=["labelled", "some are not"]
)
@pytest.mark.parametrize("arguments", [(), ["--standardize"]], ids=["", "standardized"])
def test_coefficients_are_those_of_their_categories(capsys, more, arguments):
    _coded("table.csv", more=more)
    arguments = ["--categorical", "code", "--validation", "0", *arguments]
    in_blocks = _coefficients(_train(capsys, "table.csv", "--in-blocks", *arguments))
    in_memory = _coefficients(_train(capsys, "table.csv", *arguments))
    assert in_memory["code_2"] > 1.0 > -1.0 > in_memory["code_10"]
    for name, value in in_memory.items():
        # Both end at a tolerance of 1e-4.
        assert value == pytest.approx(in_blocks[name], abs=1e-3)
    assert {name for name in in_blocks if name not in in_memory} <= {"code_7", "code_nan"}
    (of_class,) = _run(capsys, "explain", "m.model", "--json")["classes"]
    explained = {each["name"]: each["coefficient"] for each in of_class["coefficients"]}
    assert explained == in_memory


# Model files whose table isn't that of the model


def _edited(edit):
    """The command line's own part of a model, changed, in a model file that is whole."""
    model, metadata = load_with_metadata("m.model")
    edit(metadata["softreg-fast"], model)
    save(model, "edited.model", metadata)


def _rename_category(document, model):
    document["table"]["columns"][1]["categories"][0] = "other"


def _set(*keys, value=None):
    def edit(document, model):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return edit


def _drop(*keys):
    def edit(document, model):
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        _rename_category,
        _drop("table"),
        _drop("training"),
        _drop("table", "columns", 1),
        _drop("table", "columns", 1, "categories", 0),
        _drop("training", "classes", 0),
        _set("table"),
        _set("training"),
        _set("table", "format", value=0.5),
        _set("table", "columns", value=[1]),
        _set("table", "columns", 0, "name", value=["a"]),
        _set("table", "columns", 0, "kind", value="text"),
        _set("table", "columns", 0, "fill"),
        _set("table", "columns", 0, "center", value={}),
        _set("table", "columns", 1, "name", value="a"),
        _set("table", "n_sparse", value=1),
        _set("table", "missing", value=[1]),
        _set("training", "classes", value={}),
        _set("training", "classes", 0, "share", value=1e30),
        _set("training", "summary", "std_err", 0, 1),
        _set("training", "summary", "upper", value=[[1.0]]),
        _set("training", "summary", "confidence", value=[]),
    ],
)  # fmt: skip
def test_tables_that_are_not_those_of_their_models(capsys, edit):
    random = np.random.default_rng(0)
    jobs = ["p", "q", "r"]
    rows = [
        f"{random.standard_normal()},{jobs[place % 3]},{'uv'[random.integers(2)]}"
        for place in range(N_ROWS)
    ]
    Path("table.csv").write_text("\n".join(["a,job,kind", *rows, ""]))
    arguments = ["--C", "inf"] if edit is not _rename_category else []
    _train(capsys, "table.csv", "--validation", "0", *arguments)
    _edited(edit)
    for command in (
        ["explain", "edited.model"], ["evaluate", "edited.model", "table.csv"],
        ["predict", "edited.model", "table.csv", "-o", "p.csv"],
        ["export", "edited.model", "--format", "json", "-o", "m.json"],
    ):  # fmt: skip
        assert "damaged" in _error_of(capsys, *command)
    assert not Path("p.csv").exists()


def test_rows_without_a_label_say_nothing_of_columns(capsys):
    rows = [f"{at % 7 / 2},,{'yes' if at % 2 else 'no'}" for at in range(60)]
    Path("t.csv").write_text("\n".join(["x,z,kind", *rows, "bad,5,", "zz,7,", "1,7,", ""]))
    found = _train(capsys, "t.csv")
    assert [each["text"] for each in found["columns"][:2]] == ["number", "all values are missing"]
    rows[40:40] = ["1,,", "2,,", "inf,,yes"]
    Path("t.csv").write_text("\n".join(["x,z,kind", *rows, ""]))
    assert "'x' of t.csv is infinite in row 43" in _refused(capsys, "t.csv")


def test_integers_that_float64_has_not_identify_rows(capsys):
    numbers = [2**60 + 7 * at for at in range(60)]
    kinds = ["yes", "no", "no"] * 20
    table = pa.table({"user_id": numbers, "x": [at % 5 for at in range(60)], "kind": kinds})
    parquet.write_table(table, "t.parquet")
    found = _train(capsys, "t.parquet")
    assert found["columns"][0]["text"] == "it identifies the rows: all numbers are different"
    assert _train(capsys, "t.parquet", "--keep", "user_id")["columns"][0]["text"] == "number"


def test_points_part_thousands_where_commas_are_decimal(capsys):
    rows = [f"{at},5;{at % 3};{'yes' if at % 2 else 'no'}" for at in range(60)]
    rows[7] = "1.234;0;yes"
    Path("t.csv").write_text("\n".join(["x;z;kind", *rows, ""]))
    message = _refused(capsys, "t.csv", "--decimal", ",")
    assert "holds 59 numbers and 1 texts, such as '1.234' in row 8" in message


def test_numbers_of_any_size_are_profiled(capsys):
    rows = [f"{at % 7}e200,{at % 5},{'yes' if at % 2 else 'no'}" for at in range(60)]
    Path("t.csv").write_text("\n".join(["x,z,kind", *rows, ""]))
    assert "'x'" in _refused(capsys, "t.csv")


def test_weights_are_read_as_numbers_are(capsys):
    rows = [f"{at % 7};1,{at % 5};{'yes' if at % 2 else 'no'}" for at in range(60)]
    Path("t.csv").write_text("\n".join(["x;w;kind", *rows, ""]))
    found = _train(capsys, "t.csv", "--weight", "w", "--decimal", ",")
    assert found["columns"][1]["role"] == "weight"
    Path("t.csv").write_text("x,w,kind\n" + "1,1.7e308,yes\n2,1.7e308,no\n" * 20)
    assert "--weight 'w': the sum overflows" in _refused(capsys, "t.csv", "--weight", "w")


def test_texts_for_missing_numbers_are_the_same_beside_other_texts(capsys):
    rows = [f"{'NAN' if at == 3 else at},{at % 5},{'yes' if at % 2 else 'no'}" for at in range(60)]
    for more in ([], ["-"]):
        rows[50:50] = [f"{each},0,yes" for each in more]
        Path("t.csv").write_text("\n".join(["x,z,kind", *rows, ""]))
        found = _train(capsys, "t.csv", "--na=-")
        missing = 1 + len(more)
        assert found["columns"][0]["text"].startswith(f"number; {missing} missing")
