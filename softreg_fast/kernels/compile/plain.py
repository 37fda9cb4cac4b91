"""How functions are compiled with Numba's public interface alone.

Every function is optimised by itself and again within its callers, which takes longer than
`inlining.py`. Nothing is kept on disk: Numba's own cache looks at changes in the file of an entry
point alone and would run code of kernels that have changed since.
"""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

FLAGS = {"error_model": "numpy", "nogil": True}

PART_OPTIONS = FLAGS


def make_part(function: Callable[..., Any]) -> Any:
    """A dispatcher that other kernels call."""
    return numba.njit(**FLAGS)(function)


def compile_entry(
    function: Callable[..., Any], argument_types: tuple[types.Type, ...]
) -> Callable[..., Any]:
    """The function compiled for these types; it never compiles again."""
    dispatcher = numba.njit(**FLAGS)(function)
    dispatcher.compile(argument_types)
    # A closed dispatcher takes arrays of any layout, writable or not, for a parameter of layout
    # "A" instead of compiling again for each.
    dispatcher.disable_compile()
    compiled: Callable[..., Any] = dispatcher
    return compiled
