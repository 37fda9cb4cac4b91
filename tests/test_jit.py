"""Compilation and its cache."""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import HANG_GUARD
from numba import types

import softreg_fast
from softreg_fast import kernels, reference
from softreg_fast.cli import main as cli
from softreg_fast.kernels import predict as predict_module
from softreg_fast.kernels import shapes
from softreg_fast.kernels.compile import cache_folders, disk_cache, entry_point, plain
from softreg_fast.kernels.compile.numba_adapter import Target
from softreg_fast.kernels.moments import SumsSpecialisation, _sums_types, sum_rows
from softreg_fast.kernels.predict import predict
from softreg_fast.kernels.sgd_notebook import run_epochs
from softreg_fast.kernels.simd import cpu
from softreg_fast.runtime.workspace import choose_cuts, make_workspaces, pack_parameters

PACKAGE = Path(softreg_fast.__file__).parent
DOUBLE = np.dtype(np.float64)

FIT = """
import numpy as np
from softreg_fast import SoftmaxRegressor
x = np.arange(12.0).reshape(6, 2)
model = SoftmaxRegressor(0.1, random_state=0).fit(x, [0, 1, 2, 0, 1, 2], 2, 3)
"""


def _run(code, cache_folder, python_path):
    environment = os.environ | {
        "NUMBA_CACHE_DIR": str(cache_folder),
        "PYTHONPATH": str(python_path),
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment, cwd=python_path, capture_output=True, text=True, check=True,
        timeout=HANG_GUARD,
    )  # fmt: skip
    return result.stdout


def _keep_in(monkeypatch, readable, writable=None):
    """Have compiled code kept in these folders."""
    folders = [
        tuple(cache_folders.CacheFolder(path) for path in paths)
        for paths in (readable, readable if writable is None else writable)
    ]
    monkeypatch.setattr(disk_cache, "cache_folders", lambda: folders[0])
    monkeypatch.setattr(disk_cache, "writable_folders", lambda: folders[1])


def _double(values):
    for i in range(len(values)):
        values[i] *= 2.0


def _use_new_entry():
    """Use a small entry point that has nothing in memory, as in a new process."""
    entry = entry_point.EntryPoint(_double, lambda _: (types.float64[::1],))
    values = np.ones(3)
    entry.specialise("only")(values)
    np.testing.assert_array_equal(values, 2.0)


@pytest.fixture
def one_folder(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    _keep_in(monkeypatch, [tmp_path])
    return tmp_path


@pytest.fixture
def no_folder(tmp_path, monkeypatch):
    """Where nothing but the system's temporary folder can be written: `tmp_path`."""
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(cache_folders, "KERNELS_FOLDER", file)
    monkeypatch.setattr(cache_folders.config, "CACHE_DIR", str(file))
    monkeypatch.setattr(cache_folders, "users_cache", lambda: file)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache_folders, "cache_folders", cache_folders.cache_folders.__wrapped__)
    return cache_folders.writable_folders.__wrapped__


@pytest.fixture
def cached_entry(tmp_path, monkeypatch):
    """Makes a new entry point, as in a new process, on a cache folder of the test's own."""
    _keep_in(monkeypatch, [tmp_path])

    def make():
        return entry_point.EntryPoint(sum_rows._function, _sums_types)

    return make


@pytest.fixture
def compilations(monkeypatch):
    """The names of functions that are compiled and saved."""
    saved = []
    original = disk_cache.DiskCache.save

    def save(self, *arguments):
        saved.append(self._name)
        original(self, *arguments)

    monkeypatch.setattr(disk_cache.DiskCache, "save", save)
    return saved


SPECIALISATION = shapes.choose_specialisation(DOUBLE, DOUBLE, 3, 3, "rows")
FEATURES = np.random.default_rng(0).standard_normal((6, 3))


def _predict(entry, features=FEATURES):
    """Whether the probabilities of a model are right."""
    parameters = pack_parameters(np.eye(3), np.zeros(3), SPECIALISATION)
    cuts = choose_cuts(6, 3, parameters, SPECIALISATION)
    (workspace,) = make_workspaces(1, cuts.tile_rows, 3, parameters, SPECIALISATION)
    probabilities = np.empty((6, 3))
    nothing = np.empty((0, 3))
    compiled = entry.specialise(SPECIALISATION)
    compiled(
        features, None, np.zeros(0, np.int32), 0, 6, True, SPECIALISATION.blocks, parameters,
        *workspace.arguments,
        probabilities, nothing, nothing,
    )  # fmt: skip
    expected, *_ = reference.predict(features, np.eye(3), np.zeros(3), "sigmoid")
    np.testing.assert_allclose(probabilities, expected, rtol=1e-12)
    return compiled


def _sum_up(entry):
    """Whether sums are right; a kernel that is compiled in less than a second."""
    sums, squares = np.zeros((1, 3)), np.zeros(3)
    compiled = entry.specialise(SumsSpecialisation(DOUBLE))
    compiled(FEATURES, np.zeros(6, np.int32), np.zeros(0), np.zeros(3), 0, 6, sums, squares)
    np.testing.assert_allclose(sums[0], FEATURES.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(squares, np.square(FEATURES).sum(axis=0), rtol=1e-12)
    return compiled


def test_nothing_compiles_at_import():
    code = (
        "import importlib, pkgutil\n"
        "from softreg_fast import kernels\n"
        "found = pkgutil.walk_packages(kernels.__path__, 'softreg_fast.kernels.')\n"
        "names = [module.name for module in found]\n"
        "modules = [importlib.import_module(name) for name in names]\n"
        "values = [value for module in modules for value in vars(module).values()]\n"
        "entries = [value for value in values if hasattr(value, 'specialise')]\n"
        "assert len(entries) > 10\n"
        "assert not any(getattr(entry, '_compiled', None) for entry in entries)\n"
        "from softreg_fast.kernels.compile.entry_point import Part\n"
        "parts = [value for value in values if isinstance(value, Part)]\n"
        "assert len(parts) > 40\n"
        "assert not any(part._dispatchers for part in parts)\n"
        "import sys; assert 'sklearn' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=HANG_GUARD)


def test_import_loads_no_other_package_until_a_name_is_used():
    code = (
        "import sys, softreg_fast\n"
        "others = {'numpy', 'numba', 'llvmlite', 'scipy', 'sklearn', 'joblib'}\n"
        "assert not others & set(sys.modules), others & set(sys.modules)\n"
        "for name in softreg_fast.__all__:\n"
        "    assert name in dir(softreg_fast) and callable(getattr(softreg_fast, name))\n"
        "from softreg_fast import *\n"
        "assert SoftmaxClassifier is softreg_fast.SoftmaxClassifier\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=HANG_GUARD)
    with pytest.raises(AttributeError, match="no attribute 'SoftmaxClasifier'"):
        softreg_fast.SoftmaxClasifier  # noqa: B018


def test_second_process_loads_what_the_first_compiled(cached_entry, compilations):
    _sum_up(cached_entry())
    _sum_up(cached_entry())
    assert compilations == ["sum_rows"]


@pytest.mark.parametrize(
    "damage",
    [
        "truncated",
        "changed",
        pytest.param("emptied", marks=pytest.mark.full),
        pytest.param("of another kind", marks=pytest.mark.full),
    ],
)
def test_damaged_cache_is_compiled_anew(cached_entry, compilations, tmp_path, damage):
    _sum_up(cached_entry())
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    file.write_bytes(
        {
            "truncated": content[:middle],
            "emptied": b"",
            "changed": changed,
            "of another kind": b"x" * 100,
        }[damage]
    )

    _sum_up(cached_entry())

    assert len(compilations) == 2
    _sum_up(cached_entry())
    assert len(compilations) == 2


@pytest.mark.runs_if(os.name == "posix")
def test_full_disk_costs_a_compilation_and_leaves_no_file(cached_entry, tmp_path):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    entry = cached_entry()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        _sum_up(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_at_all_costs_a_compilation(cached_entry, monkeypatch):
    entry = cached_entry()
    _keep_in(monkeypatch, [])
    _sum_up(entry)


def test_vanished_folder_is_made_again(cached_entry, tmp_path):
    entry = cached_entry()
    tmp_path.rmdir()
    _sum_up(entry)
    assert len(list(tmp_path.iterdir())) == 1


def test_code_is_loaded_from_a_folder_that_cannot_be_written(
    cached_entry, compilations, tmp_path, monkeypatch
):
    """As where root installed and compiled, and another user runs."""
    _sum_up(cached_entry())
    other = tmp_path / "other"
    entry = cached_entry()
    _keep_in(monkeypatch, [tmp_path, other], [other])
    _sum_up(entry)
    assert len(compilations) == 1


def test_unwritable_folders_fall_back_to_a_private_temporary_one(no_folder, tmp_path):
    (folder,) = no_folder()
    assert folder.path.parent == tmp_path
    assert folder.path.stat().st_mode & 0o777 == 0o700
    folder.path.chmod(0o777)
    assert no_folder() == (), "others could write code into it that would be executed"
    folder.path.rmdir()
    folder.path.symlink_to(tmp_path)
    assert no_folder() == ()


def test_temporary_folder_is_not_touched_where_another_can_be_written(
    no_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(cache_folders.config, "CACHE_DIR", str(tmp_path / "named"))
    assert no_folder()[0].path == tmp_path / "named" / "softreg_fast"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "named"]


def test_temporary_folder_made_by_another_after_it_was_chosen_is_not_read(
    no_folder, compilations, monkeypatch
):
    """A cleaner has removed it, and whoever is first makes it anew."""
    chosen = no_folder()
    monkeypatch.setattr(disk_cache, "cache_folders", tuple)
    monkeypatch.setattr(disk_cache, "writable_folders", lambda: chosen)
    _use_new_entry()
    _use_new_entry()
    assert len(compilations) == 1
    (file,) = chosen[0].path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600

    chosen[0].path.chmod(0o770)
    _use_new_entry()
    assert len(compilations) == 2, "its group could have planted the file"

    chosen[0].path.chmod(0o700)
    file.chmod(0o620)
    _use_new_entry()
    assert len(compilations) == 3
    assert file.stat().st_mode & 0o777 == 0o600


TWO_USERS = """
import os, sys
from softreg_fast.kernels.compile.cache_folders import PrivateFolder
from pathlib import Path
folder = PrivateFolder(Path(sys.argv[1]) / "softreg_fast")
def as_user(number, action):
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == 0
        return
    os.setuid(number)
    action()
    os._exit(0)
def write():
    folder.write("code", b"mine")
    assert folder.read("code") == b"mine"
def refuse():
    for action in (lambda: folder.read("code"), lambda: folder.write("code", b"other")):
        try: action()
        except OSError: pass
        else: os._exit(1)
def plant():
    folder.path.mkdir(0o777)
    folder.path.chmod(0o777)
    (folder.path / "code").write_bytes(b"planted")
    (folder.path / "code").chmod(0o666)
as_user(1001, write)
as_user(1002, refuse)
(folder.path / "code").unlink()
folder.path.rmdir()
as_user(1002, plant)
as_user(1001, refuse)
assert (folder.path / "code").read_bytes() == b"planted"
"""


# Other users are to be had by the superuser alone.
@pytest.mark.runs_if(getattr(os, "geteuid", lambda: 1)() == 0)
def test_no_user_reads_or_writes_what_another_has_made():
    with tempfile.TemporaryDirectory() as everybodys:
        Path(everybodys).chmod(0o1777)
        result = subprocess.run(
            [sys.executable, "-c", TWO_USERS, everybodys],
            capture_output=True, text=True, check=False, timeout=HANG_GUARD,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr


@pytest.mark.runs_if(os.name == "posix")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_permissions_follow_no_umask(tmp_path, umask):
    """Files of compiled code are executed: others must not write them."""
    folder = cache_folders.CacheFolder(tmp_path / "made" / "folder")
    before = os.umask(umask)
    try:
        folder.write("code", b"content")
    finally:
        os.umask(before)
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.path.parent.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "code").stat().st_mode & 0o777 == 0o600
    assert folder.read("code") == b"content"


@pytest.mark.runs_if(os.name == "posix")
def test_permissions_beside_the_kernels_are_those_of_the_sources(tmp_path, monkeypatch):
    """Where root installs and compiles, others must be able to read, and not to write."""
    monkeypatch.setattr(cache_folders, "KERNELS_FOLDER", tmp_path)
    tmp_path.chmod(0o777)
    folder = cache_folders._beside_the_kernels()
    folder.write("code", b"")
    assert folder.path.stat().st_mode & 0o777 == 0o755
    assert (folder.path / "code").stat().st_mode & 0o777 == 0o644


def test_folder_that_refuses_files_is_asked_once(tmp_path, monkeypatch):
    """On Windows it can't be told from one that has a file of this name already."""
    asked = []

    def refuse(path, *arguments, **named):
        asked.append(path)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert not cache_folders.CacheFolder(tmp_path).can_be_written()
    assert len(asked) == 1


@pytest.mark.parametrize("is_empty", [True, False])
def test_folder_in_the_place_of_a_file_costs_no_more_than_the_first_compilation(
    one_folder, compilations, monkeypatch, is_empty
):
    _use_new_entry()
    (file,) = one_folder.iterdir()
    file.unlink()
    file.mkdir()
    if not is_empty:
        (file / "something").touch()
        _keep_in(monkeypatch, [one_folder, one_folder / "next"])
    _use_new_entry()
    _use_new_entry()
    assert len(compilations) == 2


@pytest.mark.runs_if(hasattr(os, "mkfifo"))
def test_pipe_in_the_place_of_a_file_is_not_waited_for(one_folder):
    _use_new_entry()
    (file,) = one_folder.iterdir()
    file.unlink()
    os.mkfifo(file)
    _use_new_entry()
    assert file.is_file()


def test_numba_cache_dir_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cache_folders.config, "CACHE_DIR", "relative")
    first, *_ = cache_folders.cache_folders.__wrapped__()
    assert first.path == tmp_path / "relative" / "softreg_fast"


@pytest.mark.full
@pytest.mark.runs_if(os.name == "posix")
def test_numba_cache_dir_relative_to_a_removed_folder_is_left_out(tmp_path):
    code = f"""
import os
import numba  # what it imports needs a working folder
os.mkdir("gone")
os.chdir("gone")
os.rmdir({str(tmp_path / "gone")!r})
from softreg_fast.kernels.compile import cache_folders
assert len(cache_folders.cache_folders()) < 3
{FIT}"""
    environment = os.environ | {"NUMBA_CACHE_DIR": "relative", "PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, cwd=tmp_path, check=True
    )
    assert list(tmp_path.iterdir()) == []


def test_no_temporary_folder_costs_a_compilation(no_folder, compilations, monkeypatch):
    def gettempdir():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", gettempdir)
    monkeypatch.setattr(disk_cache, "cache_folders", cache_folders.cache_folders)
    monkeypatch.setattr(disk_cache, "writable_folders", no_folder)
    assert no_folder() == ()
    _use_new_entry()
    assert len(compilations) == 1


def test_no_folder_of_the_current_directory_is_used_without_a_home(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_folders, "users_cache", lambda: Path("~/.cache/numba"))
    monkeypatch.chdir(tmp_path)
    folders = cache_folders.cache_folders.__wrapped__()
    assert all(folder.path.is_absolute() for folder in folders)
    assert list(tmp_path.iterdir()) == []


def test_code_of_older_sources_is_removed_beside_the_package(cached_entry, tmp_path, monkeypatch):
    folder = tmp_path / "__pycache__"
    entry = cached_entry()
    monkeypatch.setattr(disk_cache, "KERNELS_FOLDER", tmp_path)
    _keep_in(monkeypatch, [folder])
    _sum_up(entry)
    (kept,) = folder.iterdir()
    (folder / "sum_rows-01234567-89.machine_code").touch()
    (folder / "another-01234567-89.machine_code").touch()
    kept.unlink()
    _sum_up(cached_entry())
    assert sorted(path.name for path in folder.iterdir()) == [
        "another-01234567-89.machine_code",
        kept.name,
    ]


def test_settings_of_numba_and_the_entry_point_itself_are_in_the_key(monkeypatch):
    def name(function=predict._function, flags=plain.FLAGS):
        return disk_cache.DiskCache(function, flags)._file_name("signature", Target("", "", ""))

    first = name()
    assert name() == first
    assert name(run_epochs._function) != first
    assert name(flags={}) != first
    for setting in ("OPT", "BOUNDSCHECK", "LOOP_VECTORIZE"):
        with monkeypatch.context() as patch:
            patch.setattr(disk_cache.config, setting, "other")
            assert name() != first


@pytest.mark.full
def test_change_in_any_kernel_file_is_seen(tmp_path):
    """Numba's own cache looks at the file of the entry point alone."""
    shutil.copytree(
        PACKAGE, tmp_path / "softreg_fast", ignore=shutil.ignore_patterns("__pycache__")
    )
    before = _run(FIT, tmp_path / "cache", tmp_path)
    assert _run(FIT, tmp_path / "cache", tmp_path) == before
    n_files = len(list((tmp_path / "cache").rglob("*.machine_code")))
    file = tmp_path / "softreg_fast" / "kernels" / "loss.py"
    source = file.read_text()
    found = "loss = _sum_losses_of_ones("
    assert source.count(found) == 1
    file.write_text(source.replace(found, "loss = 3.0 + _sum_losses_of_ones("))

    after = _run(FIT, tmp_path / "cache", tmp_path)

    losses = [float(output.split("Loss: ")[1].split(" ")[0]) for output in (before, after)]
    np.testing.assert_allclose(losses[1] - losses[0], 3.0 / 3, rtol=1e-12)
    assert len(list((tmp_path / "cache").rglob("*.machine_code"))) == 2 * n_files


def test_closed_entry_point_refuses_other_types():
    entry = predict.specialise(SPECIALISATION)
    with pytest.raises(TypeError, match="No matching definition"):
        entry(*["features"] * 15)


def test_one_compilation_serves_every_layout():
    read_only = FEATURES.copy()
    read_only.flags.writeable = False
    for features in (
        FEATURES,
        np.asfortranarray(FEATURES),
        read_only,
        FEATURES[::-1].copy()[::-1],
        np.repeat(FEATURES, 2, axis=1)[:, ::2],
    ):
        compiled = _predict(predict, features)
    assert len(compiled.signatures) == 1


@pytest.mark.parametrize(
    ("features", "expected"),
    [("+avx2,+fma", 256), ("+avx,+sse", 256), ("+avx512f,+avx", 512), ("", 128), ("+sse4.2", 128)],
)
def test_width_of_vectors_follows_the_features_compiled_for(monkeypatch, features, expected):
    monkeypatch.setattr(cpu, "target", lambda: Target("triple", "cpu", features))
    assert cpu.vector_bits.__wrapped__() == expected


@pytest.mark.parametrize(
    ("bits", "n_registers", "dtype", "lanes"),
    [(512, 32, "f8", 8), (512, 32, "f4", 16), (256, 16, "f8", 4), (256, 16, "f4", 8),
     (128, 16, "f8", 4), (128, 32, "f4", 4)],
)  # fmt: skip
def test_products_fit_the_vectors_and_registers(monkeypatch, bits, n_registers, dtype, lanes):
    monkeypatch.setattr(shapes, "vector_bits", lambda: bits)
    monkeypatch.setattr(shapes, "vector_registers", lambda: n_registers)
    for n_columns in (1, 2, 3, 7, 10, 26, 100, 1000):
        for n_features in (1, 20, 54, 784):
            chosen = shapes.choose_specialisation(
                DOUBLE, np.dtype(dtype), n_features, n_columns, "rows"
            )
            assert chosen.lanes == lanes
            for shape in (chosen.contracted, chosen.combined):
                assert shape.side * shape.classes < n_registers
            padded = -(-n_columns // chosen.classes) * chosen.classes
            assert padded <= max(1.1 * n_columns, n_columns + 2)
            class_lanes, n_vectors, rows_by_class = chosen.by_class
            if n_registers == 32:
                assert chosen.classes >= min(n_columns, 3)
                fitting = {(3, 20): 4, (7, 20): 8, (7, 54): 8}.get((n_columns, n_features), 0)
                assert class_lanes == (fitting if fitting <= lanes else 0)
            else:
                assert rows_by_class * n_vectors < n_registers
                assert class_lanes == 0 or n_columns <= n_vectors * class_lanes
                is_narrow_class = 3 <= n_columns <= 3 * lanes and n_features == 20
                assert bool(class_lanes) == is_narrow_class or n_features == 54
            assert chosen.row_multiple % lanes == 0
            assert chosen.transposes == (n_features < 3 * lanes and not class_lanes)
            columns = shapes.choose_specialisation(
                DOUBLE, np.dtype(dtype), n_features, n_columns, "columns"
            )
            assert columns.combined.side * columns.combined.classes < n_registers
            assert columns.by_class == shapes.NOT_BY_CLASS


def test_columns_are_read_in_place_and_scattered_features_transposed():
    for n_features in (1, 20, 784):
        columns = shapes.choose_specialisation(DOUBLE, DOUBLE, n_features, 10, "columns")
        assert (columns.in_place, columns.transposes) == (True, False)
        assert columns.by_class == shapes.NOT_BY_CLASS
        scattered = shapes.choose_specialisation(DOUBLE, DOUBLE, n_features, 10, "scattered")
        assert (scattered.in_place, scattered.transposes) == (False, True)


@pytest.mark.parametrize(
    ("triple", "features", "expected"),
    [("x86_64-linux", "+avx512f,+avx512vl", 32), ("x86_64-linux", "+avx2", 16),
     ("aarch64-linux", "+neon", 32)],
)  # fmt: skip
def test_number_of_registers_follows_the_features(monkeypatch, triple, features, expected):
    monkeypatch.setattr(cpu, "target", lambda: Target(triple, "cpu", features))
    assert cpu.vector_registers.__wrapped__() == expected


@pytest.mark.full
def test_no_library_call_without_fused_multiplication_and_addition():
    code = (
        "import numba\n"
        "from softreg_fast.kernels.compile import plain\n"
        "from softreg_fast.kernels.simd import lanes\n"
        "load, store, multiply_add = lanes.load, lanes.store, lanes.multiply_add\n"
        "@numba.njit(**plain.FLAGS, _nrt=False)\n"
        "def run(a, width):\n"
        "    x = load(a, 0, 0, width)\n"
        "    store(a, 0, 0, multiply_add(x, x, x))\n"
        "run.compile((numba.float64[:, ::1], numba.types.UniTuple(numba.intp, 8)))\n"
        "(assembly,) = run.inspect_asm().values()\n"
        "assert 'mulpd' in assembly\n"
        "assert '$fma' not in assembly\n"
        "assert 'vfm' not in assembly\n"
    )
    environment = os.environ | {"NUMBA_CPU_NAME": "ivybridge", "NUMBA_CPU_FEATURES": "+avx"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=HANG_GUARD)


def test_types_of_arrays_that_are_not_needed_are_none():
    for dtype in (DOUBLE, np.dtype(np.float32)):
        for chosen in shapes.all_specialisations(dtype):
            features = shapes.features_type(chosen)
            assert (features.ndim, features.layout, features.mutable) == (2, "A", False)
            columns = shapes.feature_columns_type(chosen)
            assert columns == (features if chosen.in_place else types.none)
            numbers, tile, weights, integers = shapes.workspace_types(chosen)
            assert numbers.dtype == entry_point.numba_type(dtype)
            assert integers.dtype == types.int64
            assert tile == (numbers if chosen.transposes else types.none)
            assert weights == (numbers.copy(ndim=3) if chosen.by_class.lanes else types.none)
            blocks = shapes.blocks_type(chosen)
            assert [len(each) for each in blocks] == [len(each) for each in chosen.blocks]


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_everything_that_may_be_needed_is_known_beforehand(monkeypatch, bits):
    monkeypatch.setattr(shapes, "vector_bits", lambda: bits)
    for dtype in (DOUBLE, np.dtype(np.float32)):
        known = shapes.all_specialisations(dtype)
        assert len(known) == len(set(known)) <= 30
        for n_features in (1, 7, 24, 54, 200, 784, 5000):
            for n_columns in (1, 2, 3, 4, 6, 9, 10, 26, 100, 1000):
                for order in ("rows", "columns", "scattered"):
                    assert known.count(
                        shapes.choose_specialisation(dtype, dtype, n_features, n_columns, order)
                    )


@pytest.mark.parametrize("bits", [128, 256, 512])
def test_shapes_of_columns_are_known_beforehand(monkeypatch, bits):
    monkeypatch.setattr(shapes, "vector_bits", lambda: bits)
    known = shapes.all_column_specialisations()
    for n_columns in range(1, 200):
        found = shapes.choose_column_specialisation(np.dtype(np.float64), n_columns)
        assert known.count(found) == 1


def test_warm_up_compiles_every_entry_point_for_dense_features(monkeypatch):
    specialised = set()
    monkeypatch.setattr(
        entry_point.EntryPoint,
        "specialise",
        lambda entry, _: specialised.add(entry._function.__name__),
    )
    softreg_fast.warm_up()
    found = pkgutil.walk_packages(kernels.__path__, "softreg_fast.kernels.")
    modules = [importlib.import_module(module.name) for module in found]
    known = {
        value._function.__name__
        for module in modules
        for value in vars(module).values()
        if isinstance(value, entry_point.EntryPoint)
    }
    for_other_rows = {
        "accumulate_table",
        "count_categories",
        "take_tile_slopes",
        "predict_table",
        "descend_sparse",
        "accumulate_sparse",
        "ascend_dual",
        "conjugate_gradients",
        "count_elements",
        "place_columns",
        "place_elements",
        "predict_sparse",
        "sum_columns",
        "sum_sparse_rows",
    }
    assert specialised == known - for_other_rows


def test_warm_up_leaves_nothing_to_compile(monkeypatch, capsys):
    entry = entry_point.EntryPoint(predict._function, predict_module._predict_types)
    monkeypatch.setattr("softreg_fast.runtime.warm_up._ENTRY_POINTS", (entry,))
    monkeypatch.setattr(
        "softreg_fast.runtime.warm_up.all_specialisations", lambda _: [SPECIALISATION]
    )
    monkeypatch.setattr("softreg_fast.runtime.warm_up.all_column_specialisations", list)
    monkeypatch.setattr("softreg_fast.runtime.warm_up.COLUMN_DTYPES", ())

    assert softreg_fast.warm_up(["float64", np.float64]) > 0
    assert list(entry._compiled) == [SPECIALISATION]
    assert capsys.readouterr() == ("", "")
    assert cli.main(["warm-up"]) == 0
    output = capsys.readouterr()
    assert "6/6" in output.err
    assert "float64 ready after" in output.out
    with pytest.raises(ValueError, match="dtypes='int8'"):
        softreg_fast.warm_up(["int8"])


@pytest.mark.full
def test_kernels_can_be_translated_for_neon():
    """The LLVM code of a product, made for 128-bit vectors, gives fused vector instructions."""
    code = (
        "import llvmlite.binding as llvm, numba, re\n"
        "from softreg_fast.kernels.forward import forward\n"
        "from softreg_fast.kernels.groups import Blocks, Rows, Workspace\n"
        "from softreg_fast.kernels.compile import inlining, plain, toolchain\n"
        "toolchain.toolchain.prepare()\n"
        "sizes = (4, 4, 5, 4, 2, 5, 4, 1, 0, 0, 0)\n"
        "@numba.njit(**plain.FLAGS, _nrt=False, pipeline_class=inlining.EntryCompiler)\n"
        "def run(features, numbers, n_rows, parameters, blocks, logits):\n"
        "    rows = Rows(features, None, numbers, numbers, None)\n"
        "    work = Workspace(logits, None, None, numbers)\n"
        "    forward(rows, work, 0, n_rows, parameters, blocks, logits)\n"
        "matrix = numba.float32[:, ::1]\n"
        "types = [numba.typeof((0,) * size) for size in sizes]\n"
        "run.compile((matrix, numba.int64[:, ::1], numba.int64, matrix,\n"
        "             numba.types.NamedTuple(types, Blocks), matrix))\n"
        "(text,) = run.inspect_llvm().values()\n"
        "text = re.sub('target (triple|datalayout) = .*', '', text)\n"
        'text = re.sub(\'"target-(cpu|features)"="[^"]*"\', \'\', text)\n'
        "llvm.initialize_all_targets()\n"
        "llvm.initialize_all_asmprinters()\n"
        "machine = llvm.Target.from_triple('aarch64-unknown-linux-gnu').create_target_machine()\n"
        "assembly = machine.emit_assembly(llvm.parse_assembly(text))\n"
        "assert re.search(r'fmla\\s+v\\d+\\.4s', assembly), assembly\n"
    )
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=HANG_GUARD)
