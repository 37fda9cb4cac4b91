"""Compiled entry points on disk.

One file for each entry point and signature. Its name holds a digest of everything that the machine
code depends on: the source of the whole folder and of the entry point, versions, the CPU, Numba's
settings. Its content carries a checksum. So a changed kernel, an upgraded Numba or another CPU
finds no file, a damaged file is compiled anew, and no trouble with the disk ever reaches the
caller.

What is read from a cache is executed, as with Numba's own: whoever can write into the folder that
`NUMBA_CACHE_DIR` names can run code here.
"""

import hashlib
import inspect
import os
import pickle
import stat
import sys
import tempfile
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import config
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.misc.appdirs import AppDirs

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

KERNELS_FOLDER = Path(__file__).parent


def _digest_of_sources() -> str | None:
    """Of the whole folder; None where the sources aren't files."""
    digest = hashlib.sha256()
    paths = sorted(KERNELS_FOLDER.glob("*.py"))
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest() if paths else None


# Taken at import, when the code that will be compiled is read too: what changes on disk later is
# not what this process compiles.
_SOURCES_DIGEST = _digest_of_sources()


def _source_of(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except OSError:
        return function.__code__.co_code.hex()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _private_temporary_folder() -> Path | None:
    """A folder that no other user can write to."""
    if not hasattr(os, "getuid"):
        return None
    folder = Path(tempfile.gettempdir()).absolute() / f"softreg_fast-{os.getuid()}"
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
    return folder if is_private else None


@cache
def cache_folders() -> tuple[Path, ...]:
    """Where compiled code is looked for, in this order.

    `NUMBA_CACHE_DIR`, the `__pycache__` beside the kernels, Numba's folder in the user's cache, a
    private temporary folder.
    """
    folders = [
        KERNELS_FOLDER / "__pycache__",
        Path(AppDirs(appname="numba", appauthor=False).user_cache_dir) / "softreg_fast",
        _private_temporary_folder(),
    ]
    if config.CACHE_DIR:
        folders.insert(0, Path(config.CACHE_DIR).absolute() / "softreg_fast")
    # Without a home, the user's cache is a relative path, which would depend on the working folder.
    return tuple(folder for folder in folders if folder is not None and folder.is_absolute())


@cache
def writable_folder() -> Path | None:
    """The first of the folders that can be written, or None."""
    return next((folder for folder in cache_folders() if _is_writable(folder)), None)


class DiskCache(NullCache):
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
        self._identity = (
            function.__module__,
            function.__qualname__,
            _source_of(function),
            flags,
            numba.__version__,
            llvmlite.__version__,
            np.__version__,
            sys.version,
            [(setting, getattr(config, setting, None)) for setting in _SETTINGS],
        )

    def _file_name(self, signature: object, target_context: Any) -> str:
        key = (self._identity, str(signature), target_context.codegen().magic_tuple())
        digest = hashlib.sha256(f"{_SOURCES_DIGEST}{key!r}".encode()).hexdigest()
        return f"{self._name}-{str(_SOURCES_DIGEST)[:8]}-{digest[:32]}{_SUFFIX}"

    def load_overload(self, sig: object, target_context: Any) -> CompileResult | None:
        """What an earlier process has compiled, or None."""
        target_context.refresh()
        if _SOURCES_DIGEST is None:
            return None
        with suppress(Exception):
            name = self._file_name(sig, target_context)
            for folder in cache_folders():
                # Whatever is wrong with a file, compiling anew mends it.
                with suppress(Exception):
                    content = (folder / name).read_bytes()
                    checksum, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
                    if hashlib.sha256(payload).digest() == checksum:
                        return CompileResult._rebuild(target_context, *pickle.loads(payload))
        return None

    def save_overload(self, sig: object, cres: CompileResult) -> None:
        """Keep what has been compiled, if anywhere is room."""
        folder = writable_folder()
        # Dynamic globals are addresses in this process.
        if folder is None or _SOURCES_DIGEST is None or cres.library.has_dynamic_globals:
            return
        path = folder / self._file_name(sig, cres.target_context)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        try:
            with suppress(Exception):  # a full disk costs a compilation, no more
                payload = pickle.dumps(cres._reduce(), protocol=pickle.HIGHEST_PROTOCOL)
                temporary.write_bytes(hashlib.sha256(payload).digest() + payload)
                temporary.replace(path)
                self._remove_older(folder)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _remove_older(self, folder: Path) -> None:
        """Drop what was compiled from sources that are no longer there, beside the package."""
        if folder == KERNELS_FOLDER / "__pycache__":
            for path in folder.glob(f"{self._name}-*{_SUFFIX}"):
                if not path.name.startswith(f"{self._name}-{str(_SOURCES_DIGEST)[:8]}-"):
                    path.unlink(missing_ok=True)
