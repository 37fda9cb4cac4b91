"""What is private to Numba and works without it too: its lock, its contexts, its target.

Private names of Numba stand here and in `inlining.py` alone. Whatever is missing from the installed
Numba, this module can be imported and used.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple

import llvmlite.binding
from numba import config


class OwnLock:
    """A lock like Numba's, for a Numba whose lock isn't found."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0

    def acquire(self) -> None:
        """Take it, again if this thread has it."""
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def release(self) -> None:
        """Give it back."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def is_locked(self) -> bool:
        """Whether this thread has it."""
        return self._owner == threading.get_ident()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _numbas_lock() -> Any:
    """The lock under which Numba compiles; None where it isn't found or isn't as expected."""
    with suppress(Exception):
        from numba.core.compiler_lock import global_compiler_lock

        with global_compiler_lock:
            is_as_expected = global_compiler_lock.is_locked() is True
        if is_as_expected and global_compiler_lock.is_locked() is False:
            return global_compiler_lock
    return None


_found_lock = _numbas_lock()
has_numbas_lock = _found_lock is not None
compiler_lock = _found_lock if has_numbas_lock else OwnLock()


def fill_contexts() -> None:
    """Have Numba's contexts filled, where they are found; else Numba fills them as it compiles."""
    with suppress(ImportError, AttributeError):
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


@contextmanager
def absolute_paths() -> Iterator[None]:
    """Numba's messages name files by absolute paths while this context lasts, if that is known."""
    try:
        from numba.core.ir import Loc

        relative = Loc._get_path
    except (ImportError, AttributeError):
        yield
        return
    Loc._get_path = lambda location: location.filename
    try:
        yield
    finally:
        Loc._get_path = relative


class Target(NamedTuple):
    """What machine code is made for."""

    triple: str
    cpu: str
    features: str


def _host() -> Target:
    """As Numba finds it."""
    features = config.CPU_FEATURES
    if features is None:
        found = llvmlite.binding.get_host_cpu_features()
        if not config.ENABLE_AVX:
            found = {name: has for name, has in found.items() if not name.startswith("avx")}
        features = ",".join(f"{'+' if has else '-'}{name}" for name, has in sorted(found.items()))
    cpu = config.CPU_NAME or llvmlite.binding.get_host_cpu_name()
    return Target(llvmlite.binding.get_process_triple(), cpu, features)


def target() -> Target:
    """What Numba makes machine code for; `fill_contexts` comes before."""
    with suppress(Exception):
        from numba.core.registry import cpu_target

        found = Target(*cpu_target.target_context.codegen().magic_tuple())
        if all(isinstance(part, str) for part in found):
            return found
    return _host()
