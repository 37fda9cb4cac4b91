"""SIMD vectors for kernels: the names that kernels import.

With the JIT these are LLVM instructions (`lanes_llvm.py`); without it, the
same operations on NumPy arrays (`lanes_numpy.py`).

A *vector* is one SIMD register; a *block* is rows and columns of vectors. `width` is a tuple whose
length is the number of lanes; `rows` and `columns` are tuples whose lengths are the numbers of
vectors in a block. `array` is two-dimensional.

===========================================  =====================================================
``load(array, row, column, width)``          vector of the elements from ``[row, column]`` rightward
``load_as(array, row, column, like)``        the same, in the type of the vector `like`
``store(array, row, column, vector)``        the reverse, in the type of the array
``splat(scalar, vector)``                    the scalar in every lane, in the vector's type
``+ - * /``                                  lane by lane; these and what follows, up to
                                             ``sum_lanes``, are also for blocks
``multiply_add(a, b, c)``                    ``a * b + c``, fused where the CPU can
``minimum(a, b)``, ``maximum(a, b)``         lane by lane; NaN in `a` stays, NaN in `b` does not
``select_less(a, b, if_less, otherwise)``    lane by lane; `otherwise` where either is NaN
``select_equal(a, b, if_equal, otherwise)``  the same for equality
``exponential(vector)``                      of every lane, at most 700 (float32: 87); below -600
                                             (-80) an exact zero, since products with subnormal
                                             numbers cost a hundred times the usual
``logarithm(vector)``                        of every lane, a positive normal number or NaN
``sum_lanes(vector)``                        one scalar, of a block too
``prefetch(array, row, column)``             a hint; never a fault, even outside of the array
``prefetch_element(array, index)``           the same for a one-dimensional array
``prefetch_closest_along(array, row,         the same for as many vectors as `vectors` is long, into
column, width, vectors)``                    the first-level cache: AMD's cores drop most hints for
                                             the second level that memory must answer
``prefetch_numbered(array, numbers, first,   the same in the rows ``numbers[first + i]``
column, rows)``
``block_of(vector, rows, columns)``          block of equal vectors
``repeat_down(vectors, rows)``               block of equal rows, each the vectors of a block
``repeat_along(vectors, columns)``           block of equal columns, each the vectors of a block
``load_block(array, row, column, width,      block of the elements from ``[row, column]`` down and
rows, columns)``                             rightward
``store_block(array, row, column, block)``   the reverse
``load_numbered(array, numbers, first,       block of one column: vectors from `column` in the rows
column, count, like, rows)``                 ``numbers[first + i]``; only the first `count` elements
                                             are read, zeros follow (None: all are read, which is
                                             faster); in the type of `like`
``splat_down(array, row, column, like,       block of one column: splats of
rows)``                                      ``array[row + i, column]``, in the type of `like`
``add_outer(block, down, along)``            block plus the products of every vector of the block
                                             `down` with every one of `along`
``contract(sums, vectors, numbers, first,    for some numbered rows and some classes, sums of the
start, n_columns, matrix, group, ahead)``    products of `n_columns` elements each: of the rows
                                             ``numbers[first + i]`` of `vectors`, from the column
                                             `start` on, and of the rows ``group + k`` of `matrix`;
                                             a column of vectors, one for each class, with a lane
                                             for each row. The block `sums`, whose rows and columns
                                             are those rows and classes, is added first.
``contract_by_class(sums, vectors, numbers,  the same with the classes in the lanes of `weights`,
first, n_columns, weights)``                 which has a row for each element of the vectors; the
                                             block `sums` has a row for each numbered row, and its
                                             columns are the vectors of the weights
``combine(sums, scalars, group, vectors,     the block `sums`, a row for each class, plus the sum of
numbers, n_rows, column, count, ahead)``      the first `n_rows` numbered rows of `vectors`, from
                                             `column` on, times ``scalars[group + k, i]``; only
                                             their first `count` elements are read (None: all, which
                                             is faster)
``combine_listed(sums, factors, numbers,     the block `sums`, of one row, plus the sum of the rows
start, stop, vectors, column, parts)``       ``numbers[i]`` of `vectors`, from `column` on, times
                                             ``factors[i]``, `i` from `start` to `stop`; taken in as
                                             many parts as `parts` is long, or fewer; of one, rows
                                             times zero change no bit
``transpose(block)``                         rows and lanes exchanged, of a block of one column
                                             with a power of two of rows
===========================================  =====================================================
"""

from types import ModuleType

from ..compile.mode import WITHOUT_JIT

_implementation: ModuleType
if WITHOUT_JIT:
    from . import lanes_numpy as _implementation
else:
    from . import lanes_llvm as _implementation

add_outer = _implementation.add_outer
block_of = _implementation.block_of
combine = _implementation.combine
combine_listed = _implementation.combine_listed
contract = _implementation.contract
contract_by_class = _implementation.contract_by_class
exponential = _implementation.exponential
load = _implementation.load
load_as = _implementation.load_as
load_block = _implementation.load_block
load_numbered = _implementation.load_numbered
logarithm = _implementation.logarithm
maximum = _implementation.maximum
minimum = _implementation.minimum
multiply_add = _implementation.multiply_add
prefetch = _implementation.prefetch
prefetch_element = _implementation.prefetch_element
prefetch_closest_along = _implementation.prefetch_closest_along
prefetch_numbered = _implementation.prefetch_numbered
repeat_along = _implementation.repeat_along
repeat_down = _implementation.repeat_down
select_equal = _implementation.select_equal
select_less = _implementation.select_less
splat = _implementation.splat
splat_down = _implementation.splat_down
store = _implementation.store
store_block = _implementation.store_block
sum_lanes = _implementation.sum_lanes
transpose = _implementation.transpose
