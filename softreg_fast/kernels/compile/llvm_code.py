"""Pieces of LLVM code that intrinsics are made of."""

from functools import reduce

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
