"""Explicit SIMD vectors for Numba kernels, as LLVM instructions.

A `Vector` holds one number per lane. A `Block` holds vectors in rows and
columns: the part of a matrix that a kernel works on without touching memory.
Both are values in registers, without methods; `lanes.py` documents the operations.

The number of lanes, rows and columns are compile-time constants. They reach a
kernel as the length of a tuple, since Numba's types hold the length of a tuple
but not the value of an integer.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

_INT8 = ir.IntType(8)
_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)


class Vector(types.Type):
    """The Numba type of `lanes` numbers of type `dtype` in one SIMD register."""

    def __init__(self, dtype, lanes):
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")

    @property
    def llvm_type(self):
        element = ir.DoubleType() if self.dtype == types.float64 else ir.FloatType()
        return ir.VectorType(element, self.lanes)

    @property
    def suffix(self):
        return f"v{self.lanes}f{self.dtype.bitwidth}"


class Block(types.Type):
    """The Numba type of `rows` times `columns` vectors, row by row."""

    def __init__(self, vector, rows, columns):
        self.vector = vector
        self.rows = rows
        self.columns = columns
        super().__init__(name=f"Block({vector.name}, {rows}, {columns})")

    @property
    def llvm_type(self):
        return ir.ArrayType(self.vector.llvm_type, self.rows * self.columns)


@register_model(Vector)
@register_model(Block)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, data_model_manager, numba_type):
        super().__init__(data_model_manager, numba_type, numba_type.llvm_type)


def _call(builder, name, return_type, arguments, **flags):
    function_type = ir.FunctionType(return_type, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments, **flags)


def _broadcast(builder, scalar, lanes):
    vector_type = ir.VectorType(scalar.type, lanes)
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(_INT32, 0))
    mask = ir.Constant(ir.VectorType(_INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, empty, mask)


def _address(context, builder, array_type, array, indices, index_types):
    """Pointer to one element of an array of any layout; no wrap-around, no bounds check."""
    view = context.make_array(array_type)(context, builder, array)
    positions = [
        context.cast(builder, index, index_type, types.intp)
        for index, index_type in zip(indices, index_types, strict=True)
    ]
    return cgutils.get_item_pointer(context, builder, array_type, view, positions, wraparound=False)


def _load_vector(builder, address, vector):
    pointer = builder.bitcast(address, ir.PointerType(vector.llvm_type))
    value = builder.load(pointer, typ=vector.llvm_type)
    value.align = vector.dtype.bitwidth // 8
    return value


def _store_vector(builder, address, vector, value):
    pointer = builder.bitcast(address, ir.PointerType(vector.llvm_type))
    builder.store(value, pointer).align = vector.dtype.bitwidth // 8


def _pack(builder, block, vectors):
    value = ir.Constant(block.llvm_type, ir.Undefined)
    for position, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, position)
    return value


def _unpack(builder, block, value):
    return [
        builder.extract_value(value, position) for position in range(block.rows * block.columns)
    ]


@intrinsic
def load(typingctx, array, row, column, width):
    vector = Vector(array.dtype, width.count)

    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:3], signature.args[1:3]
        )
        return _load_vector(builder, address, vector)

    return vector(array, row, column, width), codegen


@intrinsic
def store(typingctx, array, row, column, value):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:3], signature.args[1:3]
        )
        _store_vector(builder, address, value, arguments[3])
        return context.get_dummy_value()

    return types.void(array, row, column, value), codegen


@intrinsic
def splat(typingctx, scalar, vector):
    def codegen(context, builder, signature, arguments):
        element = context.cast(builder, arguments[0], signature.args[0], vector.dtype)
        return _broadcast(builder, element, vector.lanes)

    return vector(scalar, vector), codegen


def _multiply_add(builder, vector, a, b, c):
    # llvm.fmuladd is one fused instruction where the target has it and a multiplication and an
    # addition where it has not; llvm.fma would become a library call there.
    return _call(builder, f"llvm.fmuladd.{vector.suffix}", vector.llvm_type, [a, b, c])


@intrinsic
def multiply_add(typingctx, a, b, c):
    def codegen(context, builder, signature, arguments):
        return _multiply_add(builder, c, *arguments)

    return c(a, b, c), codegen


def _arithmetic(instruction, python_operator):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, arguments):
            apply = getattr(builder, instruction)
            if isinstance(a, Vector):
                return apply(*arguments)
            pairs = zip(
                _unpack(builder, a, arguments[0]), _unpack(builder, b, arguments[1]), strict=True
            )
            return _pack(builder, a, [apply(left, right) for left, right in pairs])

        return a(a, b), codegen

    @overload(python_operator)
    def operator_overload(a, b):
        if isinstance(a, Vector | Block) and a == b:
            return lambda a, b: operation(a, b)
        return None


_arithmetic("fadd", operator.add)
_arithmetic("fsub", operator.sub)
_arithmetic("fmul", operator.mul)
_arithmetic("fdiv", operator.truediv)


@intrinsic
def minimum(typingctx, a, b):
    def codegen(context, builder, signature, arguments):
        first, second = arguments
        return builder.select(builder.fcmp_ordered("<", second, first), second, first)

    return a(a, b), codegen


@intrinsic
def maximum(typingctx, a, b):
    def codegen(context, builder, signature, arguments):
        first, second = arguments
        return builder.select(builder.fcmp_ordered(">", second, first), second, first)

    return a(a, b), codegen


@intrinsic
def select_less(typingctx, a, b, if_less, otherwise):
    def codegen(context, builder, signature, arguments):
        condition = builder.fcmp_ordered("<", arguments[0], arguments[1])
        return builder.select(condition, arguments[2], arguments[3])

    return a(a, b, if_less, otherwise), codegen


def _compare_lane_numbers(context, builder, sign, number, number_type, lanes):
    number = context.cast(builder, number, number_type, types.intp)
    lane_numbers = ir.Constant(ir.VectorType(_INT64, lanes), list(range(lanes)))
    return builder.icmp_signed(sign, lane_numbers, _broadcast(builder, number, lanes))


@intrinsic
def select_lane(typingctx, lane, there, elsewhere):
    def codegen(context, builder, signature, arguments):
        condition = _compare_lane_numbers(
            context, builder, "==", arguments[0], signature.args[0], there.lanes
        )
        return builder.select(condition, arguments[1], arguments[2])

    return there(lane, there, elsewhere), codegen


@intrinsic
def select_first(typingctx, number, first, rest):
    def codegen(context, builder, signature, arguments):
        condition = _compare_lane_numbers(
            context, builder, "<", arguments[0], signature.args[0], first.lanes
        )
        return builder.select(condition, arguments[1], arguments[2])

    return first(number, first, rest), codegen


@intrinsic
def shift_to_exponent(typingctx, vector):
    bits, mantissa_bits, bias = (64, 52, 1023) if vector.dtype == types.float64 else (32, 23, 127)
    integers = ir.VectorType(ir.IntType(bits), vector.lanes)

    def codegen(context, builder, signature, arguments):
        pattern = builder.bitcast(arguments[0], integers)
        shifted = builder.shl(pattern, ir.Constant(integers, [mantissa_bits] * vector.lanes))
        one = ir.Constant(integers, [bias << mantissa_bits] * vector.lanes)
        return builder.bitcast(builder.add(shifted, one), vector.llvm_type)

    return vector(vector), codegen


@intrinsic
def sum_lanes(typingctx, vector):
    def codegen(context, builder, signature, arguments):
        element = vector.llvm_type.element
        return _call(
            builder,
            f"llvm.vector.reduce.fadd.{vector.suffix}",
            element,
            [ir.Constant(element, -0.0), arguments[0]],
            fastmath=("reassoc",),
        )

    return vector.dtype(vector), codegen


@intrinsic
def max_lanes(typingctx, vector):
    def codegen(context, builder, signature, arguments):
        name = f"llvm.vector.reduce.fmax.{vector.suffix}"
        return _call(builder, name, vector.llvm_type.element, [arguments[0]])

    return vector.dtype(vector), codegen


@intrinsic
def prefetch(typingctx, array, row, column):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:], signature.args[1:]
        )
        pointer = builder.bitcast(address, ir.PointerType(_INT8))
        for_reading, into_second_level, as_data = (ir.Constant(_INT32, flag) for flag in (0, 2, 1))
        _call(
            builder,
            "llvm.prefetch.p0",
            ir.VoidType(),
            [pointer, for_reading, into_second_level, as_data],
        )
        return context.get_dummy_value()

    return types.void(array, row, column), codegen


@intrinsic
def block_of(typingctx, vector, rows, columns):
    block = Block(vector, rows.count, columns.count)

    def codegen(context, builder, signature, arguments):
        return _pack(builder, block, [arguments[0]] * (block.rows * block.columns))

    return block(vector, rows, columns), codegen


@intrinsic
def repeat_row(typingctx, row, rows):
    block = Block(row.vector, rows.count, row.columns)

    def codegen(context, builder, signature, arguments):
        return _pack(builder, block, _unpack(builder, row, arguments[0]) * block.rows)

    return block(row, rows), codegen


@intrinsic
def add_outer(typingctx, block, scalars, row):
    def codegen(context, builder, signature, arguments):
        summands = _unpack(builder, block, arguments[0])
        columns = _unpack(builder, row, arguments[2])
        factors = _unpack(builder, scalars, arguments[1])
        pairs = [(factor, column) for factor in factors for column in columns]
        results = [
            _multiply_add(builder, block.vector, factor, column, summand)
            for (factor, column), summand in zip(pairs, summands, strict=True)
        ]
        return _pack(builder, block, results)

    return block(block, scalars, row), codegen


def _splat_scalars(axis):
    @intrinsic
    def operation(typingctx, array, row, column, like, rows):
        block = Block(like.vector, rows.count, 1)

        def codegen(context, builder, signature, arguments):
            array_type = signature.args[0]
            splats = []
            for offset in range(block.rows):
                indices = [
                    context.cast(builder, index, index_type, types.intp)
                    for index, index_type in zip(arguments[1:3], signature.args[1:3], strict=True)
                ]
                indices[axis] = builder.add(indices[axis], ir.Constant(_INT64, offset))
                address = _address(
                    context, builder, array_type, arguments[0], indices, [types.intp] * 2
                )
                scalar = context.unpack_value(builder, array_type.dtype, address)
                element = context.cast(builder, scalar, array_type.dtype, block.vector.dtype)
                splats.append(_broadcast(builder, element, block.vector.lanes))
            return _pack(builder, block, splats)

        return block(array, row, column, like, rows), codegen

    return operation


splat_down = _splat_scalars(axis=0)
splat_along = _splat_scalars(axis=1)


def _block_addresses(context, builder, signature, arguments, block):
    first_row = context.cast(builder, arguments[1], signature.args[1], types.intp)
    first_column = context.cast(builder, arguments[2], signature.args[2], types.intp)
    for row_offset in range(block.rows):
        row = builder.add(first_row, ir.Constant(_INT64, row_offset))
        for column_offset in range(block.columns):
            offset = ir.Constant(_INT64, column_offset * block.vector.lanes)
            column = builder.add(first_column, offset)
            yield _address(
                context, builder, signature.args[0], arguments[0], [row, column], [types.intp] * 2
            )


@intrinsic
def load_block(typingctx, array, row, column, width, rows, columns):
    block = Block(Vector(array.dtype, width.count), rows.count, columns.count)

    def codegen(context, builder, signature, arguments):
        addresses = _block_addresses(context, builder, signature, arguments, block)
        loaded = [_load_vector(builder, address, block.vector) for address in addresses]
        return _pack(builder, block, loaded)

    return block(array, row, column, width, rows, columns), codegen


@intrinsic
def store_block(typingctx, array, row, column, block):
    def codegen(context, builder, signature, arguments):
        addresses = _block_addresses(context, builder, signature, arguments, block)
        vectors = _unpack(builder, block, arguments[3])
        for address, vector in zip(addresses, vectors, strict=True):
            _store_vector(builder, address, block.vector, vector)
        return context.get_dummy_value()

    return types.void(array, row, column, block), codegen
