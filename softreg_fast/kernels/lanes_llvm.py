"""Explicit SIMD vectors for Numba kernels, as LLVM instructions.

A `Vector` holds one number per lane. A `Block` holds several vectors and is
what a register tile is made of. Both are values, not memory: they live in
registers and have no methods; `lanes.py` documents the operations.

The number of lanes and the number of vectors in a block are compile-time
constants. They reach a kernel as the length of a tuple (`width` and `count`),
since Numba's types hold the length of a tuple but not the value of an integer.
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
    """The Numba type of `count` vectors."""

    def __init__(self, vector, count):
        self.vector = vector
        self.count = count
        super().__init__(name=f"Block({vector.name}, {count})")

    @property
    def llvm_type(self):
        return ir.ArrayType(self.vector.llvm_type, self.count)


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
    return [builder.extract_value(value, position) for position in range(block.count)]


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


@intrinsic
def multiply_add(typingctx, a, b, c):
    # llvm.fmuladd is one fused instruction where the target has it and a multiplication and an
    # addition where it has not; llvm.fma would become a library call there.
    vector = c.vector if isinstance(c, Block) else c
    name = f"llvm.fmuladd.{vector.suffix}"

    def codegen(context, builder, signature, arguments):
        if not isinstance(c, Block):
            return _call(builder, name, vector.llvm_type, arguments)
        factors = _unpack(builder, a, arguments[0])
        summands = _unpack(builder, c, arguments[2])
        results = [
            _call(builder, name, vector.llvm_type, [factor, arguments[1], summand])
            for factor, summand in zip(factors, summands, strict=True)
        ]
        return _pack(builder, c, results)

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
def repeat(typingctx, vector, count):
    block = Block(vector, count.count)

    def codegen(context, builder, signature, arguments):
        return _pack(builder, block, [arguments[0]] * block.count)

    return block(vector, count), codegen


def _block_of_scalars(axis):
    @intrinsic
    def operation(typingctx, array, row, column, vector, count):
        block = Block(vector, count.count)

        def codegen(context, builder, signature, arguments):
            array_type = signature.args[0]
            splats = []
            for offset in range(block.count):
                indices = [
                    context.cast(builder, index, index_type, types.intp)
                    for index, index_type in zip(arguments[1:3], signature.args[1:3], strict=True)
                ]
                indices[axis] = builder.add(indices[axis], ir.Constant(_INT64, offset))
                address = _address(
                    context, builder, array_type, arguments[0], indices, [types.intp] * 2
                )
                scalar = context.unpack_value(builder, array_type.dtype, address)
                element = context.cast(builder, scalar, array_type.dtype, vector.dtype)
                splats.append(_broadcast(builder, element, vector.lanes))
            return _pack(builder, block, splats)

        return block(array, row, column, vector, count), codegen

    return operation


splat_down = _block_of_scalars(axis=0)
splat_along = _block_of_scalars(axis=1)


def _row_addresses(context, builder, signature, arguments, count):
    first_row = context.cast(builder, arguments[1], signature.args[1], types.intp)
    column = context.cast(builder, arguments[2], signature.args[2], types.intp)
    for offset in range(count):
        row = builder.add(first_row, ir.Constant(_INT64, offset))
        yield _address(
            context, builder, signature.args[0], arguments[0], [row, column], [types.intp] * 2
        )


@intrinsic
def load_rows(typingctx, array, row, column, width, count):
    block = Block(Vector(array.dtype, width.count), count.count)

    def codegen(context, builder, signature, arguments):
        addresses = _row_addresses(context, builder, signature, arguments, block.count)
        loaded = [_load_vector(builder, address, block.vector) for address in addresses]
        return _pack(builder, block, loaded)

    return block(array, row, column, width, count), codegen


@intrinsic
def store_rows(typingctx, array, row, column, block):
    def codegen(context, builder, signature, arguments):
        addresses = _row_addresses(context, builder, signature, arguments, block.count)
        vectors = _unpack(builder, block, arguments[3])
        for address, vector in zip(addresses, vectors, strict=True):
            _store_vector(builder, address, block.vector, vector)
        return context.get_dummy_value()

    return types.void(array, row, column, block), codegen
