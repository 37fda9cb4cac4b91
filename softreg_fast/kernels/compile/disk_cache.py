"""Compiled entry points on disk.

One file for each entry point and signature. Its name holds a digest of everything that the machine
code depends on: the code of the whole folder and of the entry point, versions, the CPU, Numba's
settings. Its content is compressed and carries a checksum. So a changed kernel, an upgraded Numba
or another CPU finds no file, a damaged file is compiled anew, and no trouble with the disk ever
reaches the caller.

Files that were made ahead of time for levels of processors (`cpu_levels.py`) are looked for last.

What is read from a cache is executed, as with Numba's own: whoever can write into the folder that
`NUMBA_CACHE_DIR` names can run code here. See `cache_folders.py` for the folders.
"""

import hashlib
import importlib.resources
import pickle
import pkgutil
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

import llvmlite
import numba
import numpy as np
from numba import config

from .cache_folders import (
    KERNELS_FOLDER,
    CacheFolder,
    built_folder,
    cache_folders,
    writable_folders,
)
from .cpu_levels import levels_of
from .numba_adapter import Target

Result = TypeVar("Result")

_SUFFIX = ".machine_code"
_CHECKSUM_BYTES = 32
_SETTINGS = (
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
    "ENABLE_AVX",
    "USE_LLVMLITE_MEMORY_MANAGER",
)


def _describe(constant: object) -> str:
    """The same text in every process for the same constant of a function, code included."""
    if isinstance(constant, CodeType):
        parts = (
            constant.co_code,
            constant.co_names,
            constant.co_varnames,
            constant.co_freevars,
            constant.co_cellvars,
            constant.co_flags,
            constant.co_argcount,
            constant.co_posonlyargcount,
            constant.co_kwonlyargcount,
            constant.co_exceptiontable,
        )
        return f"code({parts!r}, {_describe(constant.co_consts)})"
    if isinstance(constant, tuple):
        return f"({', '.join(map(_describe, constant))})"
    if isinstance(constant, frozenset):  # of an order that differs between processes
        return f"{{{', '.join(sorted(map(_describe, constant)))}}}"
    return repr(constant)


def digest_of_code(code: CodeType) -> str:
    """Of what a function or a module does, wherever it is and whether or not its source is."""
    return hashlib.sha256(_describe(code).encode()).hexdigest()


def _sources_of(package: str) -> dict[str, bytes]:
    """The files of a package's modules by path, in a folder or in an archive.

    Those of compiled modules stand here in the place of sources that aren't there.
    """
    suffixes = (*SOURCE_SUFFIXES, *BYTECODE_SUFFIXES)
    found: dict[str, bytes] = {}
    folders = [("", importlib.resources.files(package))]
    while folders:
        path, folder = folders.pop()
        for entry in folder.iterdir():
            name = f"{path}{entry.name}"
            if entry.name.endswith(suffixes):
                found[name] = entry.read_bytes()
            elif entry.is_dir() and entry.name != "__pycache__":
                folders.append((f"{name}/", entry))
    return found


def _codes_of(package: str, search_path: list[str]) -> dict[str, bytes]:
    """Digests of the code of a package's modules by name, where there are no files: if frozen."""
    found = {}
    for module in pkgutil.iter_modules(search_path, f"{package}."):
        spec = module.module_finder.find_spec(module.name, None)
        code = spec.loader.get_code(module.name)  # type: ignore[union-attr]
        found[module.name] = digest_of_code(code).encode()
        if module.ispkg:
            inside = list(spec.submodule_search_locations or ())  # type: ignore[union-attr]
            found.update(_codes_of(module.name, inside))
    return found


def digest_of_package(package: str, search_path: list[str]) -> str | None:
    """Of everything that a package's modules say; None where that can't be known.

    Parameters
    ----------
    package : str
        Its name.
    search_path : list of str
        Where its modules are found: its `__path__`.
    """
    parts: dict[str, bytes] = {}
    with suppress(Exception):
        parts = _sources_of(package)
    if not parts:
        with suppress(Exception):
            parts = _codes_of(package, search_path)
    if not parts:
        return None
    digest = hashlib.sha256()
    for name, content in sorted(parts.items()):
        digest.update(f"{name} {len(content)} ".encode() + content)
    return digest.hexdigest()


# Taken at import, when the code that will be compiled is read too: what changes on disk later is
# not what this process compiles.
_KERNELS = (__package__ or "").rpartition(".")[0]
_SOURCES_DIGEST = digest_of_package(_KERNELS, list(sys.modules[_KERNELS].__path__))


def dependencies() -> dict[str, str]:
    """What compiled code depends on besides the CPU: sources and versions, by name.

    The tables that NumPy's arrays and Python's objects are do not change between releases of one
    minor version.
    """
    return {
        "sources": str(_SOURCES_DIGEST),
        "Numba": numba.__version__,
        "llvmlite": llvmlite.__version__,
        "NumPy": ".".join(np.__version__.split(".")[:2]),
        "Python": EXTENSION_SUFFIXES[0],
    }


def place() -> Path | None:
    """The folder where compiled code is kept; None if there is none."""
    folders = () if _SOURCES_DIGEST is None else writable_folders()
    return folders[0].path if folders else None


class DiskCache:
    """Compiled code of one entry point; every failure is a miss.

    Parameters
    ----------
    function : callable
        The entry point.
    flags : dict
        What it is compiled with.
    """

    def __init__(self, function: Callable[..., Any], flags: dict[str, Any]) -> None:
        self._name = function.__name__
        self._fingerprint = (
            function.__module__,
            function.__qualname__,
            digest_of_code(function.__code__),
            flags,
            dependencies(),
            [(setting, getattr(config, setting, None)) for setting in _SETTINGS],
        )

    def _file_name(self, signature: str, target: Target) -> str:
        key = (self._fingerprint, signature, tuple(target))
        digest = hashlib.sha256(repr(key).encode()).hexdigest()
        return f"{self._name}-{str(_SOURCES_DIGEST)[:8]}-{digest[:32]}{_SUFFIX}"

    def load(
        self, signature: str, target: Target, rebuild: Callable[[Any], Result]
    ) -> Result | None:
        """What ``rebuild`` makes of what an earlier process has saved, or None.

        Parameters
        ----------
        signature : str
            Of the types that it is compiled for.
        target : Target
            What this process compiles for.
        rebuild : callable
            Called with what has been saved.
        """
        if _SOURCES_DIGEST is None:
            return None
        with suppress(Exception):
            for folder, name in self._places(signature, target):
                # Whatever is wrong with a file, compiling anew mends it.
                with suppress(Exception):
                    content = folder.read(name)
                    checksum, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
                    if hashlib.sha256(payload).digest() == checksum:
                        return rebuild(pickle.loads(zlib.decompress(payload)))
        return None

    def _places(self, signature: str, target: Target) -> Iterator[tuple[CacheFolder, str]]:
        """Folders to look into, and for which file."""
        name = self._file_name(signature, target)
        folders = cache_folders()
        yield from ((folder, name) for folder in folders)
        yield built_folder(target.cpu), name
        for level in levels_of(target):
            yield built_folder(level.cpu), self._file_name(signature, level)
        # Only now is it found out which can be written: finding out makes folders.
        yield from ((folder, name) for folder in writable_folders() if folder not in folders)

    def save(self, signature: str, target: Target, reduce: Callable[[], object]) -> None:
        """Keep what ``reduce()`` gives, if anywhere is room; see `load`."""
        if _SOURCES_DIGEST is None:
            return
        with suppress(Exception):  # a full disk costs a compilation, no more
            name = self._file_name(signature, target)
            payload = zlib.compress(pickle.dumps(reduce(), protocol=pickle.HIGHEST_PROTOCOL))
            content = hashlib.sha256(payload).digest() + payload
            for folder in writable_folders():
                with suppress(OSError):
                    folder.write(name, content)
                    self._remove_older(folder)
                    return

    def _remove_older(self, folder: CacheFolder) -> None:
        """Drop what was compiled from sources that are no longer there, beside the package."""
        if folder.path == KERNELS_FOLDER / "__pycache__":
            current = f"{self._name}-{str(_SOURCES_DIGEST)[:8]}-"
            names = [path.name for path in folder.path.glob(f"{self._name}-*{_SUFFIX}")]
            folder.remove(name for name in names if not name.startswith(current))
