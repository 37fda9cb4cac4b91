"""The line that says what a first call waits for."""

import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from conftest import HANG_GUARD, WITHOUT_JIT
from numba import types

from softreg_fast.kernels.compile import cache_folders, disk_cache, plain, uninterrupted
from softreg_fast.kernels.compile.entry_point import EntryPoint
from softreg_fast.kernels.compile.toolchain import toolchain
from softreg_fast.kernels.compile.watch import CompilerWatch, compiler_watch
from softreg_fast.runtime import compile_notice
from softreg_fast.runtime.warm_up import warm_up

pytestmark = pytest.mark.runs_if(not WITHOUT_JIT)


def _treble(values):
    for i in range(len(values)):
        values[i] *= 3.0


def _use_new_entry():
    """Use a small entry point that has nothing in memory, as in a new process."""
    values = np.ones(3)
    EntryPoint(_treble, lambda _: (types.float64[::1],)).specialise("only")(values)
    np.testing.assert_array_equal(values, 3.0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where compiled code is kept."""
    folders = (cache_folders.CacheFolder(tmp_path),)
    monkeypatch.setattr(disk_cache, "cache_folders", lambda: folders)
    monkeypatch.setattr(disk_cache, "writable_folders", lambda: folders)
    return tmp_path


@pytest.fixture
def listening(folder, monkeypatch):
    """As in a process that has compiled for long, where nothing has been said."""
    monkeypatch.delenv("SOFTREG_FAST_QUIET")
    monkeypatch.setattr(uninterrupted, "_SECONDS_OF_WAIT", 0.001)
    monkeypatch.setattr(compile_notice, "_SECONDS", 0.0)
    compile_notice.announce_compilation()
    yield
    monkeypatch.undo()
    compile_notice.announce_compilation()


@pytest.mark.usefixtures("listening")
def test_who_waits_is_told_once(folder, capsys):
    _use_new_entry()
    output = capsys.readouterr()
    assert output.out == ""
    (line,) = output.err.splitlines()
    for expected in (
        "softreg_fast compiles its kernels, which may take a minute, once for each kind of problem",
        f"kept in {folder}",
        "`softreg-fast warm-up`",
        "SOFTREG_FAST_QUIET=1",
    ):
        assert expected in line
    for path in folder.iterdir():
        path.unlink()
    _use_new_entry()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("folder")
def test_nothing_is_said_of_two_seconds(monkeypatch, capsys):
    monkeypatch.delenv("SOFTREG_FAST_QUIET")
    monkeypatch.setattr(compiler_watch, "_seconds", 0.0)
    compile_notice.announce_compilation()
    _use_new_entry()
    assert capsys.readouterr().err == ""


def test_nothing_is_said_of_what_is_read_from_disk(folder, listening, capsys):
    _use_new_entry()
    assert capsys.readouterr().err
    assert list(folder.iterdir())
    compile_notice.announce_compilation()
    _use_new_entry()
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("value", "is_quiet"), [("1", True), ("0", False)])
def test_the_environment_silences_it(monkeypatch, capsys, value, is_quiet):
    monkeypatch.setenv("SOFTREG_FAST_QUIET", value)
    _use_new_entry()
    assert (capsys.readouterr().err == "") == is_quiet


class Closed(io.StringIO):
    def write(self, text):
        raise ValueError("I/O operation on closed file")


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("stream", [None, Closed(), object()])
def test_without_standard_error_nothing_is_said(monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    _use_new_entry()


@pytest.mark.usefixtures("listening")
def test_where_nothing_can_be_kept_every_process_compiles(monkeypatch, capsys):
    for name in ("cache_folders", "writable_folders"):
        monkeypatch.setattr(disk_cache, name, tuple)
    _use_new_entry()
    error = capsys.readouterr().err
    assert "in every process, because no folder" in error
    assert "NUMBA_CACHE_DIR" in error


@pytest.mark.usefixtures("listening")
def test_with_numbas_public_interface_alone_every_process_compiles(monkeypatch, capsys):
    monkeypatch.setattr(toolchain, "_way", plain)
    _use_new_entry()
    assert "in every process with this version of Numba" in capsys.readouterr().err


@pytest.mark.usefixtures("listening")
def test_warming_up_is_not_announced(monkeypatch, capsys):
    entry = EntryPoint(_treble, lambda _: (types.float64[::1],))
    monkeypatch.setattr("softreg_fast.runtime.warm_up._ENTRY_POINTS", (entry,))
    monkeypatch.setattr("softreg_fast.runtime.warm_up._OF_COLUMNS", ())
    monkeypatch.setattr("softreg_fast.runtime.warm_up.COLUMN_DTYPES", ())
    for name in ("descend_coordinates", "weigh_squares", "complete_derivatives",
                 "follow_by_newton", "sum_rows"):  # fmt: skip
        monkeypatch.setattr(f"softreg_fast.runtime.warm_up.{name}", entry)
    seconds = compiler_watch._seconds
    warm_up()
    assert entry._compiled
    assert capsys.readouterr().err == ""
    assert compiler_watch._seconds == seconds


def test_the_time_of_several_compilations_counts_and_no_other(monkeypatch):
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    told = []
    watch = CompilerWatch()
    watch.tell_once(2.0, lambda: told.append(now))
    for _ in range(4):
        watch.begin()
        now += 0.75
        watch.look()
        watch.end()
        now += 100.0
        watch.look()
    assert told == [202.25]


def test_of_many_that_wait_one_is_told():
    told = []
    watch = CompilerWatch()
    watch.tell_once(0.0, lambda: told.append(1))
    watch.begin()
    threads = [threading.Thread(target=watch.look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_GUARD)
    assert told == [1]


COLD_FIT = """
import sys
from pathlib import Path
import numpy as np
from softreg_fast import SoftmaxClassifier
from softreg_fast.kernels.compile import cache_folders
cache_folders.keep_in(Path(sys.argv[1]))
x = np.arange(12.0).reshape(6, 2)
for _ in range(2):
    SoftmaxClassifier(solver="sgd", max_iter=1000).fit(x, [0, 1, 0, 1, 0, 1])
"""


@pytest.mark.full
def test_first_process_says_it_and_the_second_does_not(tmp_path):
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    del environment["SOFTREG_FAST_QUIET"]
    found = []
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", COLD_FIT, str(tmp_path)],
            env=environment, capture_output=True, text=True, check=True, timeout=HANG_GUARD,
        )  # fmt: skip
        assert result.stdout == ""
        found.append(result.stderr)
    assert found[0].count("softreg_fast compiles its kernels") == 1
    assert found[0].count("\n") == 1
    assert str(tmp_path) in found[0]
    assert found[1] == ""
