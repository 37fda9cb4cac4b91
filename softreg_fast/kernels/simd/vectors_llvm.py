"""SIMD vectors as LLVM instructions: their types, and operations on single ones.

A `Vector` holds one number per lane. A `Block` holds vectors in rows and columns: the part of a
matrix that a kernel works on without touching memory. Both are values in registers, without
methods; `lanes.py` documents the operations.

The number of lanes, rows and columns are compile-time constants. They reach a kernel as the length
of a tuple, since Numba's types hold the length of a tuple but not the value of an integer.
"""

import operator

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from ..compile.llvm_code import call as _call
from ..compile.llvm_code import element_address as _address

INT8 = ir.IntType(8)
INT32 = ir.IntType(32)
INT64 = ir.IntType(64)


def _element(dtype):
    return ir.DoubleType() if dtype == types.float64 else ir.FloatType()


class Vector(types.Type):
    """The Numba type of `lanes` numbers of type `dtype` in one SIMD register."""

    def __init__(self, dtype, lanes):
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")

    @property
    def llvm_type(self):
        return ir.VectorType(_element(self.dtype), self.lanes)

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


def broadcast(builder, scalar, lanes):
    vector_type = ir.VectorType(scalar.type, lanes)
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(INT32, 0))
    mask = ir.Constant(ir.VectorType(INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, empty, mask)


def load_vector(builder, address, vector):
    pointer = builder.bitcast(address, ir.PointerType(vector.llvm_type))
    value = builder.load(pointer, typ=vector.llvm_type)
    value.align = vector.dtype.bitwidth // 8
    return value


def store_vector(builder, address, vector, value):
    pointer = builder.bitcast(address, ir.PointerType(vector.llvm_type))
    builder.store(value, pointer).align = vector.dtype.bitwidth // 8


def pack(builder, block, vectors):
    value = ir.Constant(block.llvm_type, ir.Undefined)
    for position, vector in enumerate(vectors):
        value = builder.insert_value(value, vector, position)
    return value


def unpack(builder, block, value):
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
        return load_vector(builder, address, vector)

    return vector(array, row, column, width), codegen


def convert_vector(builder, value, source, target):
    """Numbers of one precision in the other; `source` and `target` are their Numba types."""
    llvm_type = ir.VectorType(_element(target), value.type.count)
    if source.bitwidth < target.bitwidth:
        return builder.fpext(value, llvm_type)
    return builder.fptrunc(value, llvm_type) if source.bitwidth > target.bitwidth else value


@intrinsic
def load_as(typingctx, array, row, column, like):
    stored = Vector(array.dtype, like.lanes)

    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:3], signature.args[1:3]
        )
        value = load_vector(builder, address, stored)
        return convert_vector(builder, value, stored.dtype, like.dtype)

    return like(array, row, column, like), codegen


@intrinsic
def store(typingctx, array, row, column, value):
    stored = Vector(array.dtype, value.lanes)

    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:3], signature.args[1:3]
        )
        converted = convert_vector(builder, arguments[3], value.dtype, stored.dtype)
        store_vector(builder, address, stored, converted)
        return context.get_dummy_value()

    return types.void(array, row, column, value), codegen


def vector_of(kind):
    """The type of the vectors of a block, or of a vector."""
    return kind.vector if isinstance(kind, Block) else kind


def on_each(builder, kind, apply, arguments):
    """Apply to vectors, or to each of some blocks."""
    if isinstance(kind, Vector):
        return apply(*arguments)
    groups = zip(*(unpack(builder, kind, argument) for argument in arguments), strict=True)
    return pack(builder, kind, [apply(*vectors) for vectors in groups])


@intrinsic
def splat(typingctx, scalar, like):
    vector = vector_of(like)

    def codegen(context, builder, signature, arguments):
        element = context.cast(builder, arguments[0], signature.args[0], vector.dtype)
        value = broadcast(builder, element, vector.lanes)
        if isinstance(like, Block):
            return pack(builder, like, [value] * (like.rows * like.columns))
        return value

    return like(scalar, like), codegen


def emit_multiply_add(builder, vector, a, b, c):
    # llvm.fmuladd is one fused instruction where the target has it and a multiplication and an
    # addition where it has not; llvm.fma would become a library call there.
    return _call(builder, f"llvm.fmuladd.{vector.suffix}", vector.llvm_type, [a, b, c])


@intrinsic
def multiply_add(typingctx, a, b, c):
    def codegen(context, builder, signature, arguments):
        def apply(*vectors):
            return emit_multiply_add(builder, vector_of(c), *vectors)

        return on_each(builder, c, apply, arguments)

    return c(a, b, c), codegen


def _arithmetic(instruction, python_operator):
    @type_callable(python_operator)
    def type_operation(context):
        return lambda a, b: a if isinstance(a, Vector | Block) and a == b else None

    @lower_builtin(python_operator, Vector, Vector)
    @lower_builtin(python_operator, Block, Block)
    def codegen(context, builder, signature, arguments):
        return on_each(builder, signature.return_type, getattr(builder, instruction), arguments)


_arithmetic("fadd", operator.add)
_arithmetic("fsub", operator.sub)
_arithmetic("fmul", operator.mul)
_arithmetic("fdiv", operator.truediv)


def _extreme(sign):
    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, arguments):
            def apply(first, second):
                return builder.select(builder.fcmp_ordered(sign, second, first), second, first)

            return on_each(builder, a, apply, arguments)

        return a(a, b), codegen

    return operation


minimum = _extreme("<")
maximum = _extreme(">")


def _selection(sign):
    @intrinsic
    def operation(typingctx, a, b, if_so, otherwise):
        def codegen(context, builder, signature, arguments):
            def apply(left, right, first, second):
                return builder.select(builder.fcmp_ordered(sign, left, right), first, second)

            return on_each(builder, a, apply, arguments)

        return a(a, b, if_so, otherwise), codegen

    return operation


select_less = _selection("<")
select_equal = _selection("==")


@intrinsic
def sum_lanes(typingctx, vectors):
    vector = vector_of(vectors)

    def codegen(context, builder, signature, arguments):
        total = arguments[0]
        if isinstance(vectors, Block):
            total, *others = unpack(builder, vectors, arguments[0])
            for other in others:
                total = builder.fadd(total, other)
        element = vector.llvm_type.element
        return _call(
            builder,
            f"llvm.vector.reduce.fadd.{vector.suffix}",
            element,
            [ir.Constant(element, -0.0), total],
            fastmath=("reassoc",),
        )

    return vector.dtype(vectors), codegen
