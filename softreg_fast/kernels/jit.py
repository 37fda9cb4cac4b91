"""The one place that decides how kernels are compiled.

`kernel` marks a function that other kernels call. `entry_point` marks one that Python calls: it is
compiled on first use, once for each `Specialisation`, for signatures that are written down and
never for what a caller happens to pass, and kept on disk (`disk_cache.py`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import config, types
from numba.core.registry import cpu_target

from .disk_cache import DiskCache

_FLAGS = {"error_model": "numpy", "nogil": True}


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
    return 256 if "+avx" in features or "+avx2" in features else 128


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
        dispatcher._cache = DiskCache(self._function, _FLAGS)
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
