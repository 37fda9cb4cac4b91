"""The operations of `lanes.py` as LLVM instructions."""

from .blocks_llvm import (
    add_outer,
    block_of,
    load_block,
    load_numbered,
    repeat_along,
    repeat_down,
    splat_down,
    store_block,
    transpose,
)
from .functions_llvm import exponential, logarithm
from .prefetch_llvm import (
    prefetch,
    prefetch_closest_along,
    prefetch_element,
    prefetch_numbered,
)
from .products_llvm import combine, combine_listed, contract, contract_by_class
from .vectors_llvm import (
    Block,
    Vector,
    load,
    load_as,
    maximum,
    minimum,
    multiply_add,
    select_equal,
    select_less,
    splat,
    store,
    sum_lanes,
)

__all__ = [
    "Block",
    "Vector",
    "add_outer",
    "block_of",
    "combine",
    "combine_listed",
    "contract",
    "contract_by_class",
    "exponential",
    "load",
    "load_as",
    "load_block",
    "load_numbered",
    "logarithm",
    "maximum",
    "minimum",
    "multiply_add",
    "prefetch",
    "prefetch_closest_along",
    "prefetch_element",
    "prefetch_numbered",
    "repeat_along",
    "repeat_down",
    "select_equal",
    "select_less",
    "splat",
    "splat_down",
    "store",
    "store_block",
    "sum_lanes",
    "transpose",
]
