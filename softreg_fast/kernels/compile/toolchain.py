"""The way in which kernels are compiled: one of two, decided once for a process.

`inlining.py` is the faster way. It replaces steps of Numba's compiler, which other versions of
Numba may have changed. So its prerequisites are looked at before it is used, and before it
compiles anything, a small function must give the right numbers. Where either fails, `plain.py`
compiles everything, with the same results to rounding, and a warning says so.

Nothing is compiled to look at the prerequisites: code that is on disk is loaded at once.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from ..._warning import warn_caller
from . import plain
from .disk_cache import DiskCache
from .watch import compiler_watch

TRIED_VERSIONS = ">=0.62,<0.69"


class WrongNumbersError(Exception):
    """What has been compiled does not compute what it should."""


class Toolchain:
    """Compiles kernels; under Numba's lock."""

    def __init__(self) -> None:
        self._way: ModuleType | None = None
        self._is_ready = False
        self._problem = ""
        self._choices: list[tuple[Callable[..., Any], Callable[..., Any]]] = []

    def add_choice(self, function: Callable[..., Any], choose: Callable[..., Any]) -> None:
        """Have `choose` give the code of a function by the types of its arguments.

        Numba's `overload` hears of it once the way is decided.
        """
        self._choices.append((function, choose))

    @property
    def way(self) -> ModuleType:
        """The module that compiles."""
        if self._way is None:
            try:
                self._way = _inlining()
            except Exception as exception:  # whatever another version of Numba raises
                self._give_up(exception)
        way: ModuleType = self._way or plain
        return way

    @property
    def keeps_on_disk(self) -> bool:
        """Whether a later process will find what is compiled, unless no folder can be written."""
        return self._way is not plain

    def _give_up(self, exception: Exception) -> None:
        self._way = plain
        self._problem = f"{type(exception).__name__}: {exception}"

    def _register_choices(self) -> None:
        self._is_ready = True
        for function, choose in self._choices:
            overload(function, strict=False, jit_options=self.way.PART_OPTIONS)(choose)
        self._choices.clear()

    def prepare(self) -> None:
        """Be ready to compile functions that use kernels; raises what is wrong with the way."""
        compiler_watch.begin()
        if not self._is_ready:
            _try(self.way)
        self._register_choices()

    def compile_entry(
        self, function: Callable[..., Any], argument_types: tuple[types.Type, ...]
    ) -> Callable[..., Any]:
        """The function compiled for these types, or read from disk; it never compiles again."""
        try:
            return self._load_or_compile(function, argument_types)
        finally:
            compiler_watch.end()

    def _load_or_compile(
        self, function: Callable[..., Any], argument_types: tuple[types.Type, ...]
    ) -> Callable[..., Any]:
        way = self.way
        if way is not plain:
            kept = DiskCache(function, plain.FLAGS)
            try:
                compiled: Callable[..., Any] = way.compile_entry(
                    function, argument_types, kept, self.prepare
                )
            except Exception as exception:
                if self._is_ready:
                    raise
                self._give_up(exception)
            else:
                return compiled
        compiler_watch.begin()
        self._register_choices()
        return plain.compile_entry(function, argument_types)

    def warn_if_slow(self) -> None:
        """Warn once, at the line of the user's program, if kernels are compiled in the slower way.

        Not under Numba's lock: the caller's thread is the one that knows the line.
        """
        problem, self._problem = self._problem, ""
        if problem:
            warn_caller(
                f"softreg_fast compiles with Numba's public interface alone, because Numba "
                f"{numba.__version__} is not what it expects ({problem}). Results are the same to "
                f"rounding, but every process takes longer to compile and keeps nothing on disk. "
                f"To avoid that, install a version that has been tried: "
                f"'numba{TRIED_VERSIONS}'.",
                RuntimeWarning,
            )


def _inlining() -> ModuleType:
    """The module of the faster way; raises what is wrong with it."""
    from . import inlining

    problems = list(inlining.problems())
    if problems:
        raise ImportError("; ".join(problems))
    return inlining


def _halve(number: float) -> float:
    return number / 2.0


def _try(way: ModuleType) -> None:
    """Compile a function that calls a part; raise if it doesn't work."""
    part = way.make_part(_halve)

    def halve_first(values: Any) -> None:
        values[0] = part(values[0])

    found = np.array([3.0, 5.0])
    way.compile_entry(halve_first, (types.Array(types.float64, 1, "C"),))(found)
    if found.tolist() != [1.5, 5.0]:
        raise WrongNumbersError(f"compiled code gives {found} instead of [1.5 5. ]")


toolchain = Toolchain()
