"""The one place that decides how kernels are compiled.

`kernel` marks a function that other kernels call. `entry_point` marks one that Python calls: it is
compiled on first use, once for each `Specialisation`, for signatures that are written down and
never for what a caller happens to pass, and kept on disk (`disk_cache.py`).
"""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Any, Generic, NoReturn, TypeVar

import numba
import numpy as np
from numba import types
from numba.core.registry import CPUDispatcher
from numba.extending import overload

from .disk_cache import DiskCache
from .inlining import ENTRY_OPTIONS, PART_OPTIONS
from .mode import WITHOUT_JIT
from .uninterrupted import call_uninterrupted

_FLAGS = {"error_model": "numpy", "nogil": True, "_nrt": False}


class _Part(CPUDispatcher):
    """What other kernels call: it has no machine code of its own that Python could call."""

    def __call__(self, *arguments: Any, **named: Any) -> NoReturn:
        raise TypeError(
            f"{self.py_func.__name__} is a part of compiled kernels and can't be called from "
            "Python, unless NUMBA_DISABLE_JIT=1 is set before softreg_fast is imported"
        )


def _dispatcher(
    kind: type[CPUDispatcher], function: Callable[..., Any], options: dict[str, Any]
) -> Any:
    """What `numba.njit` makes of a function, wherever Numba's switch is by now."""
    options = {"nopython": True, "boundscheck": None, **options}
    pipeline = options.pop("pipeline_class")
    return kind(function, locals={}, targetoptions=options, pipeline_class=pipeline)


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function for use inside other kernels.

    Python that calls it raises TypeError, unless the JIT is switched off.
    """
    if WITHOUT_JIT:
        return function
    part: Callable[..., Any] = _dispatcher(_Part, function, _FLAGS | PART_OPTIONS)
    return part


def by_presence(
    otherwise: Callable[..., Any], choices: Mapping[str, Callable[..., Any]]
) -> Callable[..., Any]:
    """A kernel that is one of several, by which of its arguments is not None.

    Only that one is compiled, whereas an `if` would have all of its branches compiled.

    Parameters
    ----------
    otherwise : callable
        What it is if all of those arguments are None.
    choices : mapping of str to callable
        What it is if the argument of that name, the first of them, is not None. All have the same
        arguments as `otherwise`. A name like "rows.columns" is that of a part of a named tuple.
    """
    names = list(inspect.signature(otherwise).parameters)
    parts = {tuple(name.split(".")): function for name, function in choices.items()}

    def choose(is_none: Callable[..., bool]) -> Callable[..., Any]:
        for (name, *part), function in parts.items():
            if not is_none(names.index(name), *part):
                return function
        return otherwise

    def chosen(*arguments: Any) -> Any:
        def is_none(place: int, part: str | None = None) -> bool:
            argument = arguments[place]
            return (argument if part is None else getattr(argument, part)) is None

        return choose(is_none)(*arguments)

    if WITHOUT_JIT:
        return chosen

    @overload(chosen, strict=False, jit_options=_FLAGS | PART_OPTIONS)
    def choose_by_type(*arguments: types.Type) -> Callable[..., Any]:
        def is_none(place: int, part: str | None = None) -> bool:
            kind = arguments[place]
            if part is not None:
                kind = kind.types[kind.fields.index(part)]
            return isinstance(kind, types.NoneType)

        return choose(is_none)

    return chosen


def _without_warnings(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in Python: silent, as compiled code is, where numbers over- or underflow."""

    def silent(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*arguments)

    return silent


AnySpecialisation = TypeVar("AnySpecialisation", bound=Hashable)


class EntryPoint(Generic[AnySpecialisation]):
    """A kernel that Python calls.

    Parameters
    ----------
    function : callable
        Takes arrays and scalars, the tuple `blocks` among them, returns a scalar or None.
    argument_types : callable
        Gives the Numba types of the arguments for a specialisation.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        argument_types: Callable[[AnySpecialisation], tuple[types.Type, ...]],
    ) -> None:
        self._function = function
        self._argument_types: Callable[[AnySpecialisation], tuple[types.Type, ...]] = argument_types
        self._compiled: dict[AnySpecialisation, Callable[..., Any]] = {}

    def specialise(self, specialisation: AnySpecialisation) -> Callable[..., Any]:
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
        if WITHOUT_JIT:
            return _without_warnings(self._function)
        compiled = self._compiled.get(specialisation)
        if compiled is None:
            compiled = call_uninterrupted(partial(self._compile_once, specialisation))
        return compiled

    def _compile_once(self, specialisation: AnySpecialisation) -> Callable[..., Any]:
        """Under Numba's lock."""
        if specialisation not in self._compiled:
            self._compiled[specialisation] = self._compile(specialisation)
        return self._compiled[specialisation]

    def _compile(self, specialisation: AnySpecialisation) -> Callable[..., Any]:
        dispatcher = _dispatcher(CPUDispatcher, self._function, _FLAGS | ENTRY_OPTIONS)
        dispatcher._cache = DiskCache(self._function, _FLAGS)
        dispatcher.compile(self._argument_types(specialisation))
        # A closed dispatcher takes arrays of any layout, writable or not, for a parameter of
        # layout "A" instead of compiling again for each.
        dispatcher.disable_compile()
        compiled: Callable[..., Any] = dispatcher
        return compiled


def entry_point(
    argument_types: Callable[[AnySpecialisation], tuple[types.Type, ...]],
) -> Callable[[Callable[..., Any]], EntryPoint[AnySpecialisation]]:
    """Mark a function as an entry point with these argument types."""
    return lambda function: EntryPoint(function, argument_types)


def numba_type(dtype: np.dtype) -> types.Type:
    """The Numba type of elements of a NumPy dtype."""
    return numba.from_dtype(dtype)


def array_type(dtype: np.dtype, n_dimensions: int, *, readonly: bool = False) -> types.Type:
    """The type of a C-ordered array."""
    return types.Array(numba_type(dtype), n_dimensions, "C", readonly=readonly)
