"""Kernels are compiled, in a slower way, where Numba's private parts are not as expected."""

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import HANG_GUARD

import softreg_fast
from softreg_fast.kernels.compile import entry_point, numba_adapter, plain, toolchain

PACKAGE = Path(softreg_fast.__file__).parent

pytestmark = pytest.mark.runs_if(not entry_point.WITHOUT_JIT)

RUN = """
import json, sys, warnings
import numba
import numpy as np
{breakage}
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
{use}
told = [[each.category.__name__, each.filename, str(each.message)] for each in found]
print(json.dumps([numbers, told]))
"""

# A part, a choice by types and an entry point; a process that compiles them is a matter of seconds.
SMALL = """
    from numba import types
    from softreg_fast.kernels.compile.entry_point import EntryPoint, by_presence, kernel
    @kernel
    def add(values, first):
        total = 0.0
        for place in range(first, len(values)):
            total += values[place] / 3.0
        return total
    chosen = by_presence(lambda values, scale: 1.0, {"scale": lambda values, scale: scale[0]})
    def run(values, scale, out):
        out[0] = add(values, 1) * chosen(values, scale)
        out[1] = add(values, 0) / chosen(values, None)
    vector = types.float64[::1]
    out = np.zeros(2)
    for entry in EntryPoint(run, lambda _: (vector, vector, vector)), EntryPoint(
        lambda out: None, lambda _: (vector,)
    ):
        compiled = entry.specialise("only")
        if entry._function is run:
            compiled(np.arange(4.0), np.full(1, 7.0), out)
    numbers = out.tolist()
"""

FITS = """
    from softreg_fast import SoftmaxClassifier, SoftmaxRegressor
    X = np.random.default_rng(0).standard_normal((60, 3))
    y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
    model = SoftmaxClassifier().fit(X, y)
    regressor = SoftmaxRegressor(0.5, random_state=0, verbose=False).fit(X, y, 20, 3)
    numbers = [*model.coef_.ravel(), *model.intercept_, *model.predict_proba(X[:5]).ravel()]
    numbers += [*regressor.coeffs.ravel(), *regressor.losses_]
"""

# Numba itself finds its modules.
HIDE = """
import builtins
original = builtins.__import__
def import_module(name, space=None, *arguments, **named):
    if name == {!r} and str((space or {{}}).get("__name__")).startswith("softreg_fast"):
        raise ModuleNotFoundError(f"No module named {{name!r}}")
    return original(name, space, *arguments, **named)
builtins.__import__ = import_module
"""
AFTER_IMPORT = "from softreg_fast.kernels.compile import inlining\n"
BREAKAGES = {
    "module that has moved": HIDE.format("numba.core.codegen"),
    "lock that has moved": HIDE.format("numba.core.compiler_lock"),
    "registry that has moved": HIDE.format("numba.core.registry"),
    "name that has moved": "from numba.core import compiler_machinery\n"
    "del compiler_machinery.register_pass",
    "attribute that is missing": "from numba.core.compiler import CompileResult\n"
    "del CompileResult._reduce",
    "target that is not told": "from numba.core.codegen import CPUCodegen\n"
    "del CPUCodegen.magic_tuple",
    "call with other arguments": "from numba.core.compiler import CompileResult\n"
    "CompileResult._reduce = lambda self, version: ()",
    "override with other arguments": "from numba.core.caching import NullCache\n"
    "NullCache.save_overload = lambda self, sig, cres, version=1: None",
    "part that raises": AFTER_IMPORT
    + "inlining._PartLowering.run_pass = lambda self, state: 1 / 0",
    "part that gives something else": AFTER_IMPORT + "original = inlining.make_part\n"
    "inlining.make_part = lambda function: original(lambda number: number)",
    "entry that raises": AFTER_IMPORT
    + "inlining.create_pass_builder = lambda machine, options: None",
    "code that is not loaded": AFTER_IMPORT + "def load(*_): raise TypeError('what is this?')\n"
    "inlining._Kept.load_overload = load",
}


def _run(use, breakage="", cache_folder=None, package=PACKAGE):
    """Numbers that a process has found, and warnings that it has given."""
    environment = dict(os.environ)
    if cache_folder is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache_folder)
    result = subprocess.run(
        [sys.executable, "-c", RUN.format(use=use, breakage=breakage)],
        cwd=package.parent, env=environment, capture_output=True, text=True, check=False,
        timeout=HANG_GUARD,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    numbers, told = json.loads(result.stdout)
    return np.array(numbers), told


def _check_told(told):
    """One warning, at the line of the program."""
    ((category, file, message),) = told
    assert category == "RuntimeWarning"
    assert file == "<string>"
    assert f"Numba {numba.__version__} is not what it expects" in message
    assert f"numba{toolchain.TRIED_VERSIONS}" in message


@pytest.mark.parametrize(
    "breakage",
    [
        pytest.param(name, marks=[] if place == 0 else pytest.mark.full)
        for place, name in enumerate(BREAKAGES)
    ],
)
def test_whatever_is_broken_small_functions_compile_and_one_warning_tells(breakage, tmp_path):
    numbers, told = _run(SMALL, BREAKAGES[breakage], tmp_path)
    np.testing.assert_allclose(numbers, [14.0, 2.0], rtol=1e-14)
    _check_told(told)
    assert not list(tmp_path.rglob("*.machine_code"))


@pytest.fixture(scope="module")
def fitted():
    """Numbers of fits with nothing broken."""
    expected, silence = _run(FITS)
    assert not silence
    return expected


@pytest.mark.full
@pytest.mark.parametrize("breakage", list(BREAKAGES))
def test_whatever_is_broken_fits_are_the_same(breakage, tmp_path, fitted):
    # With nothing on disk, beside the kernels either: what is there is loaded whatever compilation
    # has come to.
    leave_out = shutil.ignore_patterns("__pycache__")
    copy = shutil.copytree(PACKAGE, tmp_path / "softreg_fast", ignore=leave_out)
    numbers, told = _run(FITS, BREAKAGES[breakage], tmp_path / "cache", copy)
    # LLVM may join multiplications and additions elsewhere, where other functions are inlined.
    np.testing.assert_allclose(numbers, fitted, rtol=1e-11, atol=1e-13)
    _check_told(told)


def test_code_on_disk_is_loaded_without_compiling_anything(tmp_path):
    expected, silence = _run(SMALL, cache_folder=tmp_path)
    assert not silence
    forbid = (
        "from softreg_fast.kernels.compile import toolchain\n"
        "from numba.core import event\n"
        "class Forbid(event.Listener):\n"
        "    def on_start(self, event): raise AssertionError\n"
        "    on_end = on_start\n"
        "event.register('numba:compile', Forbid())"
    )
    found, silence = _run(SMALL, forbid, tmp_path)
    np.testing.assert_array_equal(found, expected)
    assert not silence


def test_error_of_a_kernel_is_not_taken_for_one_of_numba():
    def wrong(values):
        values[0] = values.no_such_attribute

    entry = entry_point.EntryPoint(wrong, lambda _: (numba.types.float64[::1],))
    with pytest.raises(Exception, match="no_such_attribute"):
        entry.specialise("only")
    assert toolchain.toolchain.way is not plain


def test_lock_of_its_own_is_like_numbas():
    lock = numba_adapter.OwnLock()
    seen = []
    with lock:
        lock.acquire()
        assert lock.is_locked()
        other = threading.Thread(target=lambda: seen.append(lock.is_locked()))
        other.start()
        other.join(HANG_GUARD)
        lock.release()
        assert lock.is_locked()
    assert not lock.is_locked()
    assert seen == [False]


def test_target_is_told_without_numba(monkeypatch):
    numba_adapter.fill_contexts()
    known, found = numba_adapter.target(), numba_adapter._host()
    assert found[:2] == known[:2]
    assert set(found.features.split(",")) == set(known.features.split(","))


def test_message_paths_are_left_alone_where_numba_has_no_such_method(monkeypatch):
    from numba.core.ir import Loc

    before = Loc._get_path
    with numba_adapter.absolute_paths():
        assert Loc("file", 1)._get_path() == "file"
    assert Loc._get_path is before
    monkeypatch.delattr(Loc, "_get_path")
    with numba_adapter.absolute_paths():
        pass
    assert not hasattr(Loc, "_get_path")


def test_versions_that_were_tried_are_those_that_are_required():
    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"numba{toolchain.TRIED_VERSIONS}"' in text
