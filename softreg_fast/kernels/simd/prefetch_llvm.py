"""Fetching ahead into the cache, as LLVM instructions."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import call as _call
from ..compile.llvm_code import element_address as _address
from .vectors_llvm import INT8, INT32, INT64

# Arguments of llvm.prefetch.
_FOR_READING, _AS_DATA = 0, 1


SECOND_LEVEL, FIRST_LEVEL = 2, 3


def emit_prefetch(builder, address, locality=SECOND_LEVEL):
    pointer = builder.bitcast(address, ir.PointerType(INT8))
    arguments = (ir.Constant(INT32, flag) for flag in (_FOR_READING, locality, _AS_DATA))
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *arguments])


@intrinsic
def prefetch(typingctx, array, row, column):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:], signature.args[1:]
        )
        emit_prefetch(builder, address)
        return context.get_dummy_value()

    return types.void(array, row, column), codegen


def _number(context, builder, numbers_type, numbers, first, offset):
    """Element ``first + offset`` of an array of row numbers."""
    position = builder.add(first, ir.Constant(INT64, offset))
    address = _address(context, builder, numbers_type, numbers, [position], [types.intp])
    return builder.load(address)


@intrinsic
def prefetch_element(typingctx, array, index):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:], signature.args[1:]
        )
        emit_prefetch(builder, address)
        return context.get_dummy_value()

    return types.void(array, index), codegen


@intrinsic
def prefetch_numbered(typingctx, array, numbers, first, column, rows):
    def codegen(context, builder, signature, arguments):
        array_type, numbers_type = signature.args[:2]
        first_value = context.cast(builder, arguments[2], first, types.intp)
        for offset in range(rows.count):
            number = _number(context, builder, numbers_type, arguments[1], first_value, offset)
            position = [number, arguments[3]]
            address = _address(
                context, builder, array_type, arguments[0], position, [types.intp, column]
            )
            emit_prefetch(builder, address)
        return context.get_dummy_value()

    return types.void(array, numbers, first, column, rows), codegen


@intrinsic
def prefetch_closest_along(typingctx, array, row, column, width, vectors):
    def codegen(context, builder, signature, arguments):
        first_column = context.cast(builder, arguments[2], column, types.intp)
        for place in range(vectors.count):
            offset = ir.Constant(INT64, place * width.count)
            position = [arguments[1], builder.add(first_column, offset)]
            address = _address(
                context, builder, signature.args[0], arguments[0], position, [row, types.intp]
            )
            emit_prefetch(builder, address, FIRST_LEVEL)
        return context.get_dummy_value()

    return types.void(array, row, column, width, vectors), codegen


def numbered_addresses(context, builder, signature, arguments, n_rows):
    """Addresses in a column of the rows that `numbers` names from its element `first` on.

    The arguments begin with the array, the numbers, `first` and the column.
    """
    array_type, numbers_type, first_type, column_type = signature.args[:4]
    array, numbers, first, column = arguments[:4]
    first = context.cast(builder, first, first_type, types.intp)
    for offset in range(n_rows):
        number = _number(context, builder, numbers_type, numbers, first, offset)
        yield _address(
            context, builder, array_type, array, [number, column], [types.intp, column_type]
        )
