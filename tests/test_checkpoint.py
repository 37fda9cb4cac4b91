"""Fits that were stopped go on from a file, and end as if they hadn't been."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import make_classification

from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks import open_blocks
from softreg_fast.runtime import checkpoint as checkpoint_module
from softreg_fast.runtime.checkpoint import Checkpoint, key_of
from softreg_fast.solvers.sgd import windows as windows_module

PARAMETERS = [
    {"solver": "newton", "tol": 1e-9},
    {"solver": "lbfgs", "tol": 1e-7},
    {"solver": "newton", "l1_ratio": 0.5, "C": 0.05, "tol": 1e-8},
    {"solver": "sgd", "max_iter": 12},
    {"solver": "sgd", "max_iter": 12, "early_stopping": True, "random_state": None},
    {"solver": "sgd", "max_iter": 12, "l1_ratio": 1.0, "C": 0.05},
]


@pytest.fixture(scope="module")
def data():
    return make_classification(
        5_000, 8, n_informative=6, n_classes=3, n_clusters_per_class=1, random_state=0
    )


@pytest.fixture(autouse=True)
def _writes_at_once(monkeypatch):
    monkeypatch.setattr(checkpoint_module, "SECONDS_BETWEEN_WRITES", 0.0)
    monkeypatch.setattr(windows_module, "_BYTES_OF_A_WINDOW", 1 << 16)


class StoppedError(Exception):
    """What a fit is stopped by."""


def _stop_after(monkeypatch, n_writes):
    """Have a fit end after some writes."""
    real, left = Checkpoint.write, [n_writes]

    def write(self):
        real(self)
        left[0] -= 1
        if left[0] == 0:
            raise StoppedError

    monkeypatch.setattr(Checkpoint, "write", write)
    return left


def _model(parameters):
    return SoftmaxClassifier(**{"random_state": 0, **parameters})


def _assert_same_bits(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.intercept_, other.intercept_)
    np.testing.assert_array_equal(model.loss_curve_, other.loss_curve_)
    assert model.n_iter_ == other.n_iter_


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("make", [np.asarray, pytest.param(csr_array, marks=pytest.mark.full)])
def test_a_resumed_fit_has_the_bits_of_one_that_was_never_stopped(
    data, tmp_path, monkeypatch, parameters, make
):
    X, y = make(data[0]), data[1]
    path = tmp_path / "fit.checkpoint"
    with monkeypatch.context() as patch:
        left = _stop_after(patch, 1_000)
        whole = _model({**parameters, "random_state": 0})
        whole.fit(open_blocks(X, y, block_rows=900), checkpoint=path)
        n_writes = 1_000 - left[0]
    assert not path.exists()
    for n_done in {1, 2, n_writes // 2, n_writes - 1}:
        with monkeypatch.context() as patch:
            _stop_after(patch, n_done)
            with pytest.raises(StoppedError):
                # The seed is kept too.
                _model({**parameters, "random_state": 0}).fit(
                    open_blocks(X, y, block_rows=900), checkpoint=path
                )
        assert path.exists()
        resumed = _model({**parameters, "random_state": 0})
        resumed.fit(open_blocks(X, y, block_rows=900), checkpoint=path)
        _assert_same_bits(resumed, whole)
        assert not path.exists()


@pytest.mark.filterwarnings("ignore:SoftmaxClassifier has not converged")
def test_a_seed_that_nobody_gave_is_kept(data, tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    rows = open_blocks(*data)
    coefs = []
    for n_done in (2, 8):
        with monkeypatch.context() as patch:
            _stop_after(patch, n_done)
            with pytest.raises(StoppedError):
                SoftmaxClassifier(solver="sgd", max_iter=5).fit(rows, checkpoint=path)
        copy = path.read_bytes()
    for _ in range(2):
        path.write_bytes(copy)
        coefs.append(SoftmaxClassifier(solver="sgd", max_iter=5).fit(rows, checkpoint=path).coef_)
    np.testing.assert_array_equal(*coefs)


@pytest.mark.parametrize("are_blocks", [True, False])
def test_a_resumed_fit_knows_the_losses_of_held_out_rows(data, tmp_path, monkeypatch, are_blocks):
    X, y = data
    path = tmp_path / "fit.checkpoint"
    rows = open_blocks(X[:4_000], y[:4_000])
    held_out = (open_blocks(X[4_000:], y[4_000:]),) if are_blocks else (X[4_000:], y[4_000:])
    arguments = rows, None, None, *held_out
    whole = _model({"solver": "sgd"}).fit(*arguments, checkpoint=path)
    for n_done in (5, 30):
        with monkeypatch.context() as patch:
            _stop_after(patch, n_done)
            with pytest.raises(StoppedError):
                _model({"solver": "sgd"}).fit(*arguments, checkpoint=path)
        resumed = _model({"solver": "sgd"}).fit(*arguments, checkpoint=path)
        _assert_same_bits(resumed, whole)
        np.testing.assert_array_equal(resumed.validation_curve_, whole.validation_curve_)


def test_arrays_are_gone_over_in_blocks(data, tmp_path):
    X, y = data
    path = tmp_path / "fit.checkpoint"
    weights = np.random.default_rng(0).exponential(size=len(y))
    names = np.array(["b", "a", "c"])[y]
    model = SoftmaxClassifier(tol=1e-10, class_weight="balanced")
    model.fit(X, names, weights, checkpoint=path)
    expected = SoftmaxClassifier(tol=1e-10, class_weight="balanced").fit(X, names, weights)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    assert not path.exists()


def _stopped(data, path, monkeypatch, n_done=4, **parameters):
    with monkeypatch.context() as patch:
        _stop_after(patch, n_done)
        with pytest.raises(StoppedError):
            SoftmaxClassifier(**parameters).fit(open_blocks(*data), checkpoint=path)


def test_checkpoints_of_other_problems_are_refused(data, tmp_path, monkeypatch):
    X, y = data
    path = tmp_path / "fit.checkpoint"
    _stopped(data, path, monkeypatch)
    before = path.read_bytes()
    changed = X.copy()
    changed[17, 2] += 1e-3
    for rows, parameters, name in [
        (open_blocks(X, y), {"C": 2.0}, "C"),
        (open_blocks(X, y), {"solver": "lbfgs"}, "solver"),
        (open_blocks(X[:4_000], y[:4_000]), {}, "shape"),
        (open_blocks(X.astype(np.float32), y), {}, "dtype"),
        (open_blocks(X, np.array(["b", "a", "c"])[y]), {}, "classes"),
        (open_blocks(changed, y), {}, "samples"),
        (open_blocks(X, y, weight=np.full(5_000, 2.0)), {}, "samples"),
    ]:
        model = SoftmaxClassifier(**parameters)
        with pytest.raises(ValueError, match=f"another problem: its {name} is .*; delete the file"):
            model.fit(rows, checkpoint=path)
        assert not hasattr(model, "coef_")
    with pytest.raises(ValueError, match="another problem: its start is"):
        SoftmaxClassifier().fit(open_blocks(X, y), coef_init=np.ones((3, 8)), checkpoint=path)
    assert path.read_bytes() == before


def test_files_that_are_no_checkpoints_are_refused(data, tmp_path, monkeypatch):
    rows = open_blocks(*data)
    path = tmp_path / "fit.checkpoint"
    for content, match in [
        (b"", "is no checkpoint"),
        (b"my thesis", "is no checkpoint"),
        (b"softreg_fast checkpoint, version 1\n{broken\n", "damaged at its beginning"),
    ]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=match):
            SoftmaxClassifier().fit(rows, checkpoint=path)
        assert path.read_bytes() == content
    path.unlink()
    _stopped(data, path, monkeypatch)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged at byte"):
        SoftmaxClassifier().fit(rows, checkpoint=path)
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        SoftmaxClassifier().fit(rows, checkpoint=tmp_path / "missing" / "file")
    with pytest.raises(ValueError, match="is a folder"):
        SoftmaxClassifier().fit(rows, checkpoint=tmp_path)
    with pytest.raises(TypeError, match="checkpoint=3 is not allowed"):
        SoftmaxClassifier().fit(rows, checkpoint=3)


def test_a_checkpoint_that_was_cut_short_is_gone_on_from(data, tmp_path, monkeypatch):
    path = tmp_path / "fit.checkpoint"
    whole = SoftmaxClassifier().fit(open_blocks(*data), checkpoint=path)
    _stopped(data, path, monkeypatch)
    content = path.read_bytes()
    beginning = content.index(b"}\n") + 2
    for length in np.linspace(beginning, len(content), 12).astype(int):
        path.write_bytes(content[:length])
        _assert_same_bits(SoftmaxClassifier().fit(open_blocks(*data), checkpoint=path), whole)


def test_what_is_kept_is_found_again(tmp_path):
    path = tmp_path / "file"
    arrays = [np.arange(6.0).reshape(2, 3), np.array(3, np.int64), np.zeros((0, 2), np.float32)]
    checkpoint = Checkpoint(path, {"a": "b"})
    checkpoint.keep(key_of("one"), arrays)
    checkpoint.keep(key_of("two"), [np.array([1, 2])])
    checkpoint.keep(key_of("two"), [np.array([3])])
    assert checkpoint.keep_once("number", 5) == 5
    for again in (checkpoint, Checkpoint(path, {"a": "b"})):
        for found, expected in zip(again.get(key_of("one")), arrays, strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
            assert found.shape == expected.shape
        assert again.get(key_of("two"))[0].tolist() == [3]
        assert again.get(key_of("three")) is None
        assert again.keep_once("number", 6) == 5


def test_keys_tell_values_apart():
    values = [
        1,
        1.0,
        "1",
        (1,),
        ((1,),),
        np.array([1]),
        np.array([1.0]),
        np.array([[1.0]]),
        np.add,
        key_of,
        None,
    ]
    assert len({key_of(value) for value in values}) == len(values)


_PROGRAM = """
import sys
import numpy as np
from sklearn.datasets import make_classification
from softreg_fast import SoftmaxClassifier
from softreg_fast.blocks import open_blocks
from softreg_fast.runtime import checkpoint
from softreg_fast.solvers.sgd import windows

checkpoint.SECONDS_BETWEEN_WRITES = 0.0
windows._BYTES_OF_A_WINDOW = 1 << 16
X, y = make_classification(5_000, 8, n_informative=6, n_classes=3, random_state=0)
rows = open_blocks(X, y, block_rows=50)
print("begins", flush=True)
model = SoftmaxClassifier(solver=sys.argv[1], tol=1e-9, max_iter=60, random_state=0)
model.fit(rows, checkpoint=sys.argv[2])
np.save(sys.argv[3], model.coef_)
"""


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("solver", ["lbfgs", "sgd"])
def test_a_process_may_be_killed_at_any_moment(tmp_path, solver):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(_PROGRAM))
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPATH"] = str(Path(checkpoint_module.__file__).parents[2])

    def start(name):
        arguments = [solver, tmp_path / f"{name}.checkpoint", tmp_path / f"{name}.npy"]
        process = subprocess.Popen(
            [sys.executable, program, *arguments],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert process.stdout.readline() == "begins\n"
        return process, time.monotonic()

    process, began = start("whole")
    assert process.wait(120) == 0
    process.stdout.close()
    seconds = time.monotonic() - began
    moments = np.random.default_rng(0).uniform(0.0, 0.4 * seconds, size=25)
    n_killed = 0
    for moment in moments:
        process, _ = start("killed")
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            assert process.wait(60) == -signal.SIGKILL
            n_killed += 1
            continue
        finally:
            process.stdout.close()
        assert process.returncode == 0
        (tmp_path / "killed.npy").unlink()
    assert n_killed > 10
    process, _ = start("killed")
    assert process.wait(120) == 0
    process.stdout.close()
    expected = np.load(tmp_path / "whole.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "killed.npy"), expected)
    assert not (tmp_path / "killed.checkpoint").exists()
