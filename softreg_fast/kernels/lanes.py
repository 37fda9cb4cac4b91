"""SIMD vectors for kernels: the names that kernels import.

With the JIT these are LLVM instructions (`lanes_llvm.py`); without it, the
same operations on NumPy arrays (`lanes_numpy.py`).

A *vector* is one SIMD register; a *block* is rows and columns of vectors. `width` is a tuple whose
length is the number of lanes; `rows` and `columns` are tuples whose lengths are the numbers of
vectors in a block. `array` is two-dimensional.

===========================================  =====================================================
``load(array, row, column, width)``          vector of the elements from ``[row, column]`` rightward
``store(array, row, column, vector)``        the reverse
``splat(scalar, vector)``                    the scalar in every lane, in the vector's type
``+ - * /``                                  lane by lane; also between two blocks
``multiply_add(a, b, c)``                    ``a * b + c``, fused where the CPU can
``minimum(a, b)``, ``maximum(a, b)``         lane by lane; NaN in `a` stays, NaN in `b` does not
``select_less(a, b, if_less, otherwise)``    lane by lane; `otherwise` where either is NaN
``select_lane(lane, there, elsewhere)``      `there` in one lane, `elsewhere` in the others
``select_first(number, first, rest)``        `first` in the lanes below `number`, else `rest`
``shift_to_exponent(vector)``                2 to the integer in the lowest bits of each lane
``sum_lanes(vector)``, ``max_lanes(vector)`` one scalar
``prefetch(array, row, column)``             a hint; never a fault, even outside of the array
``block_of(vector, rows, columns)``          block of equal vectors
``load_block(array, row, column, width,      block of the elements from ``[row, column]`` down and
rows, columns)``                             rightward
``store_block(array, row, column, block)``   the reverse
``repeat_row(block, rows)``                  a block of one row, as often as wanted
``splat_down(array, row, column, like,       block of one column: splats of
rows)``                                      ``array[row + i, column]``, in the type of `like`
``splat_along(array, row, column, like,      block of one column: splats of
rows)``                                      ``array[row, column + i]``
``add_outer(block, column, row)``            block plus the outer product of a block of one column
                                             and a block of one row
===========================================  =====================================================
"""

from types import ModuleType

from numba import config

_implementation: ModuleType
if config.DISABLE_JIT:
    from . import lanes_numpy as _implementation
else:
    from . import lanes_llvm as _implementation

add_outer = _implementation.add_outer
block_of = _implementation.block_of
load = _implementation.load
load_block = _implementation.load_block
max_lanes = _implementation.max_lanes
maximum = _implementation.maximum
minimum = _implementation.minimum
multiply_add = _implementation.multiply_add
prefetch = _implementation.prefetch
repeat_row = _implementation.repeat_row
select_first = _implementation.select_first
select_lane = _implementation.select_lane
select_less = _implementation.select_less
shift_to_exponent = _implementation.shift_to_exponent
splat = _implementation.splat
splat_along = _implementation.splat_along
splat_down = _implementation.splat_down
store = _implementation.store
store_block = _implementation.store_block
sum_lanes = _implementation.sum_lanes
