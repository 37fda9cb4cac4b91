"""Kernels that are compiled ahead of time into the package."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import HANG_GUARD, WITHOUT_JIT

from softreg_fast.cli import main as cli
from softreg_fast.kernels.compile import cache_folders, cpu_levels, disk_cache, entry_point
from softreg_fast.kernels.compile.cache_folders import built_root
from softreg_fast.kernels.compile.numba_adapter import Target
from softreg_fast.kernels.moments import SumsSpecialisation, _sums_types, sum_rows
from softreg_fast.kernels.simd import cpu
from softreg_fast.runtime import built_kernels
from softreg_fast.runtime.built_kernels import (
    BuildError,
    build_kernels,
    check_built_kernels,
)

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(WITHOUT_JIT, reason="nothing is compiled without the JIT")

# Of all that is compiled, the kernel that takes least.
COMPILE_ONE = """
import sys
import numpy as np
from softreg_fast.kernels.moments import SumsSpecialisation, sum_rows
from softreg_fast.runtime import built_kernels, warm_up
def compile_one(dtypes):
    sum_rows.specialise(SumsSpecialisation(np.dtype(*dtypes)))
warm_up.warm_up = compile_one
built_kernels.compile_into(*sys.argv[1:])
"""


def _has(level):
    return level in [each.cpu for each in cpu_levels.levels_of(cpu.filled_target())]


@pytest.fixture
def empty_package(tmp_path, monkeypatch):
    """Nothing is kept or built; what is compiled and saved, by name."""
    monkeypatch.setattr(cache_folders, "KERNELS_FOLDER", tmp_path)
    monkeypatch.setattr(disk_cache, "cache_folders", tuple)
    monkeypatch.setattr(disk_cache, "writable_folders", tuple)
    monkeypatch.setattr(built_kernels, "_COMPILE", COMPILE_ONE)
    saved = []
    monkeypatch.setattr(disk_cache.DiskCache, "save", lambda self, *_: saved.append(self._name))
    return saved


def _sum_up(dtype="float64"):
    """Use an entry point that has nothing in memory, as in a new process."""
    compiled = entry_point.EntryPoint(sum_rows._function, _sums_types).specialise(
        SumsSpecialisation(np.dtype(dtype))
    )
    features = np.arange(6, dtype=dtype).reshape(3, 2)
    sums, squares = np.zeros((1, 2)), np.zeros(2)
    compiled(features, np.zeros(3, np.int32), np.zeros(0), np.zeros(2), 0, 3, sums, squares)
    np.testing.assert_array_equal(sums, [[6.0, 9.0]])
    np.testing.assert_array_equal(squares, [20.0, 35.0])


def _describe_differently(**changes):
    """Change the description of what is built."""
    (file,) = built_root().glob("*/description.json")
    description = json.loads(file.read_text("utf-8"))
    needs = description["needs"] | changes.pop("needs", {})
    file.write_text(json.dumps(description | changes | {"needs": needs}), encoding="utf-8")


def _reasons():
    ((_, reasons),) = check_built_kernels().values()
    return reasons


class TestLevels:
    def test_processor_has_the_levels_whose_features_it_has(self):
        def levels(triple, features):
            return [level.cpu for level in cpu_levels.levels_of(Target(triple, "any", features))]

        linux = "x86_64-unknown-linux-gnu"
        third, fourth = map(cpu_levels.features_of, ("x86-64-v3", "x86-64-v4"))
        assert levels(linux, fourth) == ["x86-64-v4", "x86-64-v3"]
        assert levels(linux, third) == ["x86-64-v3"]
        assert levels(linux, f"{third},-avx512f") == ["x86-64-v3"]
        assert levels(linux, third.replace("+fma", "-fma")) == []
        assert levels("aarch64-unknown-linux-gnu", fourth) == []


class TestBuilt:
    @pytest.mark.full
    def test_native_kernels_of_each_dtype_are_used_and_none_is_compiled(self, empty_package):
        (folder,) = build_kernels(["native"], ["float64", "float32"])
        assert folder.parent == built_root()
        assert sorted(path.suffix for path in folder.iterdir()) == [
            ".json", ".machine_code", ".machine_code",
        ]  # fmt: skip
        assert [path.name for path in built_root().iterdir()] == [folder.name]
        assert _reasons() == []
        for dtype in ("float64", "float32"):
            _sum_up(dtype)
        assert empty_package == []

    @pytest.mark.full
    @pytest.mark.runs_if(_has("x86-64-v3"))
    def test_kernels_of_a_level_are_used_where_the_cpu_has_it(self, empty_package):
        _sum_up()
        assert empty_package.pop() == "sum_rows"
        (folder,) = build_kernels(["x86-64-v3"], ["float64"])
        assert folder.name == "x86-64-v3"
        assert _reasons() == []
        _sum_up()
        assert empty_package == []

    @pytest.mark.full
    @pytest.mark.runs_if(cpu.filled_target().triple.startswith("x86_64"))
    def test_level_is_compiled_for_on_a_machine_without_it(self, empty_package, monkeypatch):
        build_kernels(["x86-64-v4"], ["float64"])
        own = cpu.filled_target()
        monkeypatch.setattr(cpu, "target", lambda: own._replace(features="+avx2"))
        assert "the CPU has no" in _reasons()[0]
        assert "avx512f" in _reasons()[0]

    @pytest.mark.parametrize(
        ("levels", "dtypes", "words"),
        [
            (["avx2"], ["float64"], r"levels='avx2' is not allowed: it must be 'native'"),
            (["native"], ["float16"], r"dtypes='float16' is not allowed"),
        ],
    )
    def test_level_or_dtype_that_is_not_there_is_refused(
        self, empty_package, levels, dtypes, words
    ):
        with pytest.raises(ValueError, match=words):
            build_kernels(levels, dtypes)
        assert not built_root().exists()

    def test_other_machines_have_no_levels(self, empty_package, monkeypatch):
        own = cpu.filled_target()
        monkeypatch.setattr(cpu, "target", lambda: own._replace(triple="aarch64-unknown-linux-gnu"))
        with pytest.raises(ValueError, match=r"levels='x86-64-v3' .* it must be 'native'$"):
            build_kernels(["x86-64-v3"], ["float64"])

    @pytest.mark.full
    def test_another_release_of_anything_has_them_compiled(self, empty_package, monkeypatch):
        build_kernels(["native"], ["float64"])
        for module, name in ((disk_cache.numba, "Numba"), (disk_cache.llvmlite, "llvmlite")):
            with monkeypatch.context() as patch:
                patch.setattr(module, "__version__", "0.0.0")
                (reason,) = _reasons()
                assert reason.startswith(f"it was built with {name} ")
                assert reason.endswith(f", and this is {name} 0.0.0")
                _sum_up()
            assert empty_package.pop() == "sum_rows"
        _sum_up()
        assert empty_package == []

    def test_reasons_are_given(self, empty_package):
        build_kernels(["native"], ["float64"])
        _describe_differently(needs={"NumPy": "1.0", "sources": "others"})
        assert _reasons() == [
            "the kernels' sources have changed since",
            f"it was built with NumPy 1.0, and this is NumPy {disk_cache.dependencies()['NumPy']}",
        ]
        _describe_differently(
            needs=disk_cache.dependencies(), cpu="strange", triple="a-b-c", features=""
        )
        assert _reasons() == [
            f"it was built for a-b-c, and this is {cpu.filled_target().triple}",
        ]
        _describe_differently(triple=cpu.filled_target().triple)
        assert _reasons() == ["the CPU is not a strange with the same features"]

    @pytest.mark.full
    def test_failure_is_told_and_changes_nothing(self, empty_package, monkeypatch):
        (folder,) = build_kernels(["native"], ["float64"])
        before = sorted(path.name for path in folder.iterdir())
        monkeypatch.setattr(built_kernels, "_COMPILE", "import sys; sys.exit('no room')")
        with pytest.raises(BuildError, match=r"native, float64, ended with status 1: no room"):
            build_kernels(["native"], ["float64"])
        assert sorted(path.name for path in folder.iterdir()) == before
        assert [path.name for path in built_root().iterdir()] == [folder.name]


class TestCommand:
    def test_builds_and_checks(self, empty_package, capsys):
        assert cli.main(["build-kernels", "--check"]) == 1
        assert capsys.readouterr().out == "nothing is built\n"
        assert cli.main(["build-kernels"]) == 0
        assert "float64; 1 files" in capsys.readouterr().out
        assert cli.main(["build-kernels", "--check"]) == 0
        assert capsys.readouterr().out.endswith("; used here\n")
        _describe_differently(needs={"llvmlite": "0.1"})
        assert cli.main(["build-kernels", "--check"]) == 1
        assert "it was built with llvmlite 0.1, and this is" in capsys.readouterr().out

    def test_folder_that_cannot_be_made_is_an_error_of_the_command(
        self, empty_package, monkeypatch, tmp_path, capsys
    ):
        file = tmp_path / "file"
        file.touch()
        monkeypatch.setattr(cache_folders, "KERNELS_FOLDER", file)
        with pytest.raises(SystemExit) as exit_of:
            cli.main(["build-kernels"])
        assert exit_of.value.code == 2
        assert "Not a directory" in capsys.readouterr().err


@pytest.mark.full
@pytest.mark.parametrize("is_built", [False, True])
def test_wheel_holds_what_is_built_and_is_named_after_the_machine(tmp_path, is_built):
    names = ["pyproject.toml", "README.md", "LICENSE", "hatch_build.py"]
    for name in [*names, "softreg_fast/__init__.py"]:
        file = tmp_path / "source" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes((ROOT / name).read_bytes())
    folder = tmp_path / "source" / "softreg_fast" / "kernels" / "built" / "x86-64-v3"
    folder.mkdir(parents=True)
    if is_built:
        (folder / "a.machine_code").touch()
        (folder / "description.json").touch()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", ".."],
        cwd=tmp_path / "source", check=True, timeout=HANG_GUARD,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl") != is_built
    with zipfile.ZipFile(wheel) as archive:
        found = [name for name in archive.namelist() if "/built/" in name]
    assert len(found) == 2 * is_built
