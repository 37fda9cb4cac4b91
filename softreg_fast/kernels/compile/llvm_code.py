"""Pieces of LLVM code that intrinsics are made of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types

_BYTE_POINTER = ir.PointerType(ir.IntType(8))


def is_there(name):
    """Whether the process has a function, for code that is being made.

    LLVM finds none before Numba has made its compiler: never ask while modules are imported.
    """
    return llvmlite.binding.address_of_symbol(name) is not None


def call(builder, name, return_type, arguments, **flags):
    """Call a function of a library or of LLVM by its name."""
    function = builder.module.globals.get(name)
    if function is None:
        function_type = ir.FunctionType(return_type, [argument.type for argument in arguments])
        function = ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments, **flags)


def element_address(context, builder, array_type, array, indices, index_types):
    """Pointer to one element of an array of any layout; no wrap-around, no bounds check."""
    view = context.make_array(array_type)(context, builder, array)
    positions = [
        context.cast(builder, index, index_type, types.intp)
        for index, index_type in zip(indices, index_types, strict=True)
    ]

    def each(numbers):
        return [builder.extract_value(numbers, axis) for axis in range(array_type.ndim)]

    if array_type.layout == "C":
        # The strides of these are known: products with lengths, which are often the same.
        place, *others = positions
        for length, position in zip(each(view.shape)[1:], others, strict=True):
            place = builder.add(builder.mul(place, length), position)
        return builder.gep(view.data, [place])
    offsets = map(builder.mul, each(view.strides), positions)
    first_byte = builder.bitcast(view.data, _BYTE_POINTER)
    address = builder.gep(first_byte, [reduce(builder.add, offsets)])
    return builder.bitcast(address, view.data.type)


class Matrix:
    """A two-dimensional array whose rows are of neighbouring numbers.

    Parameters
    ----------
    context, builder
        Numba's and LLVM's.
    array_type : numba.types.Array
    array : value
    """

    def __init__(self, context, builder, array_type, array):
        view = context.make_array(array_type)(context, builder, array)
        self._builder = builder
        self._data = builder.bitcast(view.data, _BYTE_POINTER)
        self._stride = builder.extract_value(view.strides, 0)
        self.itemsize = array_type.dtype.bitwidth // 8
        self.n_rows = builder.extract_value(view.shape, 0)

    def set_stride(self, n_bytes: int):
        """Say how many bytes a row has, which spares a multiplication."""
        self._stride = ir.Constant(self._stride.type, n_bytes)

    def address(self, row, column):
        """Pointer to the first byte of an element."""
        itemsize = ir.Constant(column.type, self.itemsize)
        offset = self._builder.mul(column, itemsize)
        in_row = self._builder.add(self._builder.mul(row, self._stride), offset)
        return self._builder.gep(self._data, [in_row])


class Loop:
    """A loop that is being made.

    Attributes
    ----------
    counter : value
    values : list of value
        What is carried from turn to turn, before this turn; after the loop what the last has left.
    """

    def __init__(self, counter, values):
        self.counter = counter
        self.values = values
        self.updated: Sequence[Any] | None = None

    def update(self, values):
        """Say what the values are after this turn."""
        self.updated = values


@contextmanager
def counted_loop(builder, start, stop, step: int, carried: Sequence[Any]) -> Iterator[Loop]:
    """Make a loop of the code within the context.

    Parameters
    ----------
    builder : llvmlite.ir.IRBuilder
    start, stop : value
        Of the counter, 64-bit integers.
    step : int
    carried : sequence of value
        What values are before the first turn.
    """
    before = builder.block
    head = builder.append_basic_block("loop.head")
    body = builder.append_basic_block("loop.body")
    end = builder.append_basic_block("loop.end")
    builder.branch(head)
    builder.position_at_end(head)
    counter = builder.phi(start.type)
    counter.add_incoming(start, before)
    values = []
    for value in carried:
        kept = builder.phi(value.type)
        kept.add_incoming(value, before)
        values.append(kept)
    builder.cbranch(builder.icmp_signed("<", counter, stop), body, end)
    builder.position_at_end(body)
    loop = Loop(counter, values)
    yield loop
    assert loop.updated is not None
    counter.add_incoming(builder.add(counter, ir.Constant(counter.type, step)), builder.block)
    for kept, value in zip(values, loop.updated, strict=True):
        kept.add_incoming(value, builder.block)
    builder.branch(head)
    builder.position_at_end(end)
