"""The one place that decides how kernels are compiled.

`kernel` marks a function that other kernels call. `entry_point` marks one that Python calls: it is
compiled on first use, once for each `Specialisation`, for signatures that are written down and
never for what a caller happens to pass, and kept on disk (`disk_cache.py`).
"""

import inspect
from collections.abc import Callable, Hashable, Mapping
from functools import partial, update_wrapper
from types import ModuleType
from typing import Any, Generic, NoReturn, TypeVar

import numba
import numpy as np
from numba import types
from numba.extending import typeof_impl

from .mode import WITHOUT_JIT
from .toolchain import toolchain
from .uninterrupted import call_uninterrupted


class Part:
    """A function that is compiled within other kernels; Python can't call it.

    Parameters
    ----------
    function : callable
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.py_func = function
        update_wrapper(self, function)
        self._dispatchers: dict[ModuleType, Any] = {}

    def __call__(self, *arguments: Any, **named: Any) -> NoReturn:
        """Refuse."""
        raise TypeError(
            f"{self.py_func.__name__} is a part of compiled kernels and can't be called from "
            "Python, unless NUMBA_DISABLE_JIT=1 is set before softreg_fast is imported"
        )

    def dispatcher(self) -> Any:
        """What Numba compiles in its place, made when it is first asked for."""
        way = toolchain.way
        if way not in self._dispatchers:
            self._dispatchers[way] = way.make_part(self.py_func)
        return self._dispatchers[way]


@typeof_impl.register(Part)
def _type_of_part(part: Part, context: object) -> types.Type:
    return types.Dispatcher(part.dispatcher())


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function for use inside other kernels.

    Python that calls it raises TypeError, unless the JIT is switched off.
    """
    if WITHOUT_JIT:
        return function
    return Part(function)


def by_types(
    function: Callable[..., Any],
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark what gives the code of a function for types of its arguments.

    As Numba's `overload`, but compiled as kernels are.
    """

    def add(choose: Callable[..., Any]) -> Callable[..., Any]:
        if not WITHOUT_JIT:
            toolchain.add_choice(function, choose)
        return choose

    return add


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

    @by_types(chosen)
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
            toolchain.warn_if_slow()
        return compiled

    def _compile_once(self, specialisation: AnySpecialisation) -> Callable[..., Any]:
        """Under Numba's lock."""
        if specialisation not in self._compiled:
            self._compiled[specialisation] = self._compile(specialisation)
        return self._compiled[specialisation]

    def _compile(self, specialisation: AnySpecialisation) -> Callable[..., Any]:
        return toolchain.compile_entry(self._function, self._argument_types(specialisation))


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
