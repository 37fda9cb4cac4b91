"""The one place that decides how kernels are compiled and cached.

`kernel` marks a function that other kernels call. `entry_point` marks one that
Python calls: it is compiled on first use, once per `Specialisation`, for
signatures written down here and never for what a caller happens to pass, and
kept on disk.

The cache holds one file per entry point and specialisation. Its name is a
digest of everything that the machine code depends on, the source of the whole
folder included, and its content carries a checksum. So a changed kernel, an
upgraded Numba or another CPU finds no file, a damaged file is recompiled, and
no trouble with the disk ever reaches the caller.
"""

import hashlib
import os
import pickle
import stat
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import __version__ as llvmlite_version
from numba import config, types
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.registry import cpu_target
from numba.misc.appdirs import AppDirs

_FLAGS = {"error_model": "numpy", "nogil": True}
_FOLDER = Path(__file__).parent


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function for use inside other kernels."""
    if config.DISABLE_JIT:
        return function
    compile_within = numba.njit(**_FLAGS, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    compiled: Callable[..., Any] = compile_within(function)
    return compiled


@dataclass(frozen=True)
class Specialisation:
    """The types that an entry point is compiled for.

    Attributes
    ----------
    features_dtype : numpy.dtype
        What the features are stored in, float32 or float64.
    dtype : numpy.dtype
        What parameters and all arithmetic are in, float32 or float64.
    lanes : int
        Numbers in one SIMD vector of `dtype`.
    """

    features_dtype: np.dtype
    dtype: np.dtype
    lanes: int

    @property
    def width(self) -> tuple[int, ...]:
        """The number of lanes as kernels take it: the length of a tuple."""
        return (0,) * self.lanes


@cache
def vector_bits() -> int:
    """Width in bits of the widest SIMD vectors that kernels are compiled to."""
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    if "+avx512f" in features:
        return 512
    return 256 if "+avx" in features else 128


def choose_specialisation(
    features_dtype: np.dtype, dtype: np.dtype, n_classes: int
) -> Specialisation:
    """The narrowest vectors that hold all classes, or else the widest there are.

    Parameters
    ----------
    features_dtype, dtype : numpy.dtype
        float32 or float64.
    n_classes : int
        Number of classes.

    Returns
    -------
    Specialisation
    """
    lanes = 4
    widest = max(vector_bits() // (8 * dtype.itemsize), lanes)
    while lanes < widest and lanes < n_classes:
        lanes *= 2
    return Specialisation(features_dtype, dtype, lanes)


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in Python: silent, as compiled code is, where numbers over- or underflow."""

    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


class EntryPoint:
    """A kernel that Python calls.

    Parameters
    ----------
    function : callable
        Takes arrays and scalars, the scalar `width` among them, returns a scalar or None.
    argument_types : callable
        Gives the Numba types of the arguments for a `Specialisation`.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        argument_types: Callable[[Specialisation], tuple[types.Type, ...]],
    ) -> None:
        self._function = function
        self._argument_types = argument_types
        self._compiled: dict[Specialisation, Callable[..., Any]] = {}
        self._lock = threading.Lock()

    def specialise(self, specialisation: Specialisation) -> Callable[..., Any]:
        """The function compiled for given types: from memory, from disk, or now.

        Parameters
        ----------
        specialisation : Specialisation
            The types.

        Returns
        -------
        callable
            It never compiles again; arguments of other types raise `TypeError`.
        """
        if config.DISABLE_JIT:
            return _without_warnings(self._function)
        with self._lock:
            if specialisation not in self._compiled:
                self._compiled[specialisation] = self._compile(specialisation)
            return self._compiled[specialisation]

    def _compile(self, specialisation: Specialisation) -> Callable[..., Any]:
        dispatcher = numba.njit(**_FLAGS)(self._function)
        dispatcher._cache = _DiskCache(self._function.__name__)
        dispatcher.compile(self._argument_types(specialisation))
        # A closed dispatcher takes arrays of any layout, writable or not, for a parameter of
        # layout "A" instead of compiling again for each.
        dispatcher.disable_compile()
        compiled: Callable[..., Any] = dispatcher
        return compiled


def entry_point(
    argument_types: Callable[[Specialisation], tuple[types.Type, ...]],
) -> Callable[[Callable[..., Any]], EntryPoint]:
    """Mark a function as an entry point with these argument types."""
    return lambda function: EntryPoint(function, argument_types)


def numba_type(dtype: np.dtype) -> types.Type:
    """The Numba type of elements of a NumPy dtype."""
    return numba.from_dtype(dtype)


def features_type(specialisation: Specialisation) -> types.Type:
    """The type of features: any strides, read-only."""
    return types.Array(numba_type(specialisation.features_dtype), 2, "A", readonly=True)


def array_type(dtype: np.dtype, n_dimensions: int, *, readonly: bool = False) -> types.Type:
    """The type of a C-ordered array."""
    return types.Array(numba_type(dtype), n_dimensions, "C", readonly=readonly)


def width_type(specialisation: Specialisation) -> types.Type:
    """The type of `Specialisation.width`."""
    return types.UniTuple(types.intp, specialisation.lanes)


@cache
def _source_digest() -> bytes:
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _private_temporary_folder() -> Path | None:
    """A folder that no other user can write to: what is read from it gets executed."""
    if not hasattr(os, "getuid"):
        return None
    folder = Path(tempfile.gettempdir()) / f"softreg_fast-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return None
    is_private = (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )
    return folder if is_private and _is_writable(folder) else None


@cache
def cache_folder() -> Path | None:
    """Where compiled kernels are kept, or None where no folder can be written.

    The first that is writable of: `NUMBA_CACHE_DIR`, the `__pycache__` beside the kernels,
    Numba's folder in the user's cache, a private temporary folder.
    """
    candidates = [
        _FOLDER / "__pycache__",
        Path(AppDirs(appname="numba", appauthor=False).user_cache_dir) / "softreg_fast",
    ]
    if config.CACHE_DIR:
        candidates.insert(0, Path(config.CACHE_DIR) / "softreg_fast")
    for folder in candidates:
        if _is_writable(folder):
            return folder
    return _private_temporary_folder()


class _DiskCache(NullCache):
    """Compiled code of one entry point on disk; every failure is a miss."""

    def __init__(self, name: str) -> None:
        self._name = name

    def _path(self, signature: object, target_context: Any) -> Path | None:
        folder = cache_folder()
        if folder is None:
            return None
        key = (
            numba.__version__,
            llvmlite_version,
            np.__version__,
            sys.version,
            _FLAGS,
            str(signature),
            target_context.codegen().magic_tuple(),
        )
        digest = hashlib.sha256(repr(key).encode() + _source_digest()).hexdigest()
        return folder / f"{self._name}-{digest[:32]}.machine_code"

    def load_overload(self, sig: object, target_context: Any) -> CompileResult | None:
        target_context.refresh()
        try:
            path = self._path(sig, target_context)
            if path is None:
                return None
            content = path.read_bytes()
            checksum, payload = content[:32], content[32:]
            if hashlib.sha256(payload).digest() != checksum:
                return None
            return CompileResult._rebuild(target_context, *pickle.loads(payload))
        except Exception:  # whatever is wrong with a cached file, compiling anew mends it
            return None

    def save_overload(self, sig: object, cres: CompileResult) -> None:
        temporary: Path | None = None
        try:
            path = self._path(sig, cres.target_context)
            if path is None:
                return
            payload = pickle.dumps(cres._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
            temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
            temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
            temporary.replace(path)
        except Exception:  # a full disk or a folder taken away costs a compilation, no more
            if temporary is not None:
                temporary.unlink(missing_ok=True)
