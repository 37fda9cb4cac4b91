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
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from ..compile.llvm_code import call as _call
from ..compile.llvm_code import element_address as _address

_INT8 = ir.IntType(8)
_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)


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


def _broadcast(builder, scalar, lanes):
    vector_type = ir.VectorType(scalar.type, lanes)
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(_INT32, 0))
    mask = ir.Constant(ir.VectorType(_INT32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, empty, mask)


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


def _converted(builder, value, source, target):
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
        value = _load_vector(builder, address, stored)
        return _converted(builder, value, stored.dtype, like.dtype)

    return like(array, row, column, like), codegen


@intrinsic
def store(typingctx, array, row, column, value):
    stored = Vector(array.dtype, value.lanes)

    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:3], signature.args[1:3]
        )
        converted = _converted(builder, arguments[3], value.dtype, stored.dtype)
        _store_vector(builder, address, stored, converted)
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
    @type_callable(python_operator)
    def type_operation(context):
        return lambda a, b: a if isinstance(a, Vector | Block) and a == b else None

    @lower_builtin(python_operator, Vector, Vector)
    @lower_builtin(python_operator, Block, Block)
    def codegen(context, builder, signature, arguments):
        apply = getattr(builder, instruction)
        kind = signature.return_type
        if isinstance(kind, Vector):
            return apply(*arguments)
        pairs = zip(*(_unpack(builder, kind, argument) for argument in arguments), strict=True)
        return _pack(builder, kind, [apply(left, right) for left, right in pairs])


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


def _selection(sign):
    @intrinsic
    def operation(typingctx, a, b, if_so, otherwise):
        def codegen(context, builder, signature, arguments):
            condition = builder.fcmp_ordered(sign, arguments[0], arguments[1])
            return builder.select(condition, arguments[2], arguments[3])

        return a(a, b, if_so, otherwise), codegen

    return operation


select_less = _selection("<")
select_equal = _selection("==")


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


def _integers(vector):
    bits, mantissa_bits = (64, 52) if vector.dtype == types.float64 else (32, 23)
    integers = ir.VectorType(ir.IntType(bits), vector.lanes)
    return integers, mantissa_bits, lambda number: ir.Constant(integers, [number] * vector.lanes)


def _above_root(builder, vector, value):
    """The bits of positive numbers, less those of the square root of a half; and the latter."""
    integers, _, constant = _integers(vector)
    root = constant(0x3FE6A09E667F3BCD if vector.dtype == types.float64 else 0x3F3504F3)
    return builder.sub(builder.bitcast(value, integers), root), root


@intrinsic
def exponent_part(typingctx, vector):
    def codegen(context, builder, signature, arguments):
        _, mantissa_bits, constant = _integers(vector)
        above, _ = _above_root(builder, vector, arguments[0])
        exponents = builder.ashr(above, constant(mantissa_bits))
        # The integer in the lowest bits of 1.5 * 2^mantissa_bits; no CPU lacks this conversion.
        shift = ir.Constant(vector.llvm_type, [1.5 * 2.0**mantissa_bits] * vector.lanes)
        shifted = builder.add(exponents, builder.bitcast(shift, exponents.type))
        return builder.fsub(builder.bitcast(shifted, vector.llvm_type), shift)

    return vector(vector), codegen


@intrinsic
def mantissa_part(typingctx, vector):
    def codegen(context, builder, signature, arguments):
        _, mantissa_bits, constant = _integers(vector)
        above, root = _above_root(builder, vector, arguments[0])
        fraction = builder.and_(above, constant((1 << mantissa_bits) - 1))
        return builder.bitcast(builder.add(fraction, root), vector.llvm_type)

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


# Arguments of llvm.prefetch.
_FOR_READING, _AS_DATA = 0, 1
_SECOND_LEVEL, _FIRST_LEVEL = 2, 3


def _prefetch(builder, address, locality=_SECOND_LEVEL):
    pointer = builder.bitcast(address, ir.PointerType(_INT8))
    arguments = (ir.Constant(_INT32, flag) for flag in (_FOR_READING, locality, _AS_DATA))
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *arguments])


@intrinsic
def prefetch(typingctx, array, row, column):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:], signature.args[1:]
        )
        _prefetch(builder, address)
        return context.get_dummy_value()

    return types.void(array, row, column), codegen


def _number(context, builder, numbers_type, numbers, first, offset):
    """Element ``first + offset`` of an array of row numbers."""
    position = builder.add(first, ir.Constant(_INT64, offset))
    address = _address(context, builder, numbers_type, numbers, [position], [types.intp])
    return builder.load(address)


@intrinsic
def prefetch_element(typingctx, array, index):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1:], signature.args[1:]
        )
        _prefetch(builder, address)
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
            _prefetch(builder, address)
        return context.get_dummy_value()

    return types.void(array, numbers, first, column, rows), codegen


def _prefetch_vectors(array, row, column, width, vectors, locality):
    def codegen(context, builder, signature, arguments):
        first_column = context.cast(builder, arguments[2], column, types.intp)
        for place in range(vectors.count):
            offset = ir.Constant(_INT64, place * width.count)
            position = [arguments[1], builder.add(first_column, offset)]
            address = _address(
                context, builder, signature.args[0], arguments[0], position, [row, types.intp]
            )
            _prefetch(builder, address, locality)
        return context.get_dummy_value()

    return types.void(array, row, column, width, vectors), codegen


@intrinsic
def prefetch_along(typingctx, array, row, column, width, vectors):
    return _prefetch_vectors(array, row, column, width, vectors, _SECOND_LEVEL)


@intrinsic
def prefetch_closest_along(typingctx, array, row, column, width, vectors):
    return _prefetch_vectors(array, row, column, width, vectors, _FIRST_LEVEL)


@intrinsic
def block_of(typingctx, vector, rows, columns):
    block = Block(vector, rows.count, columns.count)

    def codegen(context, builder, signature, arguments):
        return _pack(builder, block, [arguments[0]] * (block.rows * block.columns))

    return block(vector, rows, columns), codegen


@intrinsic
def repeat_down(typingctx, vectors, rows):
    block = Block(vectors.vector, rows.count, vectors.rows * vectors.columns)

    def codegen(context, builder, signature, arguments):
        return _pack(builder, block, _unpack(builder, vectors, arguments[0]) * block.rows)

    return block(vectors, rows), codegen


@intrinsic
def repeat_along(typingctx, vectors, columns):
    block = Block(vectors.vector, vectors.rows * vectors.columns, columns.count)

    def codegen(context, builder, signature, arguments):
        unpacked = _unpack(builder, vectors, arguments[0])
        return _pack(builder, block, [vector for vector in unpacked for _ in range(block.columns)])

    return block(vectors, columns), codegen


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


def _splat_at(context, builder, address, dtype, like):
    """The number at an address in every lane."""
    scalar = context.unpack_value(builder, dtype, address)
    return _broadcast(builder, context.cast(builder, scalar, dtype, like.dtype), like.lanes)


def _numbered_addresses(context, builder, signature, arguments, n_rows):
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


@intrinsic
def splat_down(typingctx, array, row, column, like, rows):
    block = Block(like, rows.count, 1)

    def codegen(context, builder, signature, arguments):
        array_type = signature.args[0]
        first_row = context.cast(builder, arguments[1], signature.args[1], types.intp)
        splats = []
        for offset in range(block.rows):
            position = [builder.add(first_row, ir.Constant(_INT64, offset)), arguments[2]]
            address = _address(
                context, builder, array_type, arguments[0], position, [types.intp, column]
            )
            splats.append(_splat_at(context, builder, address, array.dtype, like))
        return _pack(builder, block, splats)

    return block(array, row, column, like, rows), codegen


@intrinsic
def splat_numbered(typingctx, array, numbers, first, column, like, rows):
    block = Block(like, rows.count, 1)

    def codegen(context, builder, signature, arguments):
        addresses = _numbered_addresses(context, builder, signature, arguments, block.rows)
        splats = [_splat_at(context, builder, address, array.dtype, like) for address in addresses]
        return _pack(builder, block, splats)

    return block(array, numbers, first, column, like, rows), codegen


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


def _count(context, builder, count, count_type):
    is_none = isinstance(count_type, types.NoneType)
    return None if is_none else context.cast(builder, count, count_type, types.intp)


def _load_first(context, builder, address, dtype, count, like):
    """A vector of the `count` numbers from an address on, zeros behind them; of all for None."""
    stored = Vector(dtype, like.lanes)
    if count is None:
        return _converted(builder, _load_vector(builder, address, stored), dtype, like.dtype)
    lane_numbers = ir.Constant(ir.VectorType(_INT64, like.lanes), list(range(like.lanes)))
    mask = builder.icmp_signed("<", lane_numbers, _broadcast(builder, count, like.lanes))
    pointer = builder.bitcast(address, ir.PointerType(stored.llvm_type))
    value = _call(
        builder,
        f"llvm.masked.load.{stored.suffix}.p0",
        stored.llvm_type,
        [
            pointer,
            ir.Constant(_INT32, dtype.bitwidth // 8),
            mask,
            ir.Constant(stored.llvm_type, [0.0] * like.lanes),
        ],
    )
    return _converted(builder, value, dtype, like.dtype)


@intrinsic
def load_numbered(typingctx, array, numbers, first, column, count, like, rows):
    block = Block(like, rows.count, 1)

    def codegen(context, builder, signature, arguments):
        count_value = _count(context, builder, arguments[4], count)
        addresses = _numbered_addresses(context, builder, signature, arguments, block.rows)
        vectors = [
            _load_first(context, builder, address, array.dtype, count_value, like)
            for address in addresses
        ]
        return _pack(builder, block, vectors)

    return block(array, numbers, first, column, count, like, rows), codegen


@intrinsic
def load_along(typingctx, array, row, column, count, like, columns):
    block = Block(like, 1, columns.count)

    def codegen(context, builder, signature, arguments):
        array_type = signature.args[0]
        first_column = context.cast(builder, arguments[2], column, types.intp)
        count_value = _count(context, builder, arguments[3], count)
        vectors = []
        for place in range(block.columns):
            offset = ir.Constant(_INT64, place * like.lanes)
            position = [arguments[1], builder.add(first_column, offset)]
            address = _address(
                context, builder, array_type, arguments[0], position, [row, types.intp]
            )
            remaining = None if count_value is None else builder.sub(count_value, offset)
            vectors.append(
                _load_first(context, builder, address, array_type.dtype, remaining, like)
            )
        return _pack(builder, block, vectors)

    return block(array, row, column, count, like, columns), codegen


def _halves(builder, a, b, group):
    """The halves of groups of `group` neighbouring lanes, as two vectors to be added.

    In the sum, the groups' first halves belong to `a` and their second halves to `b`. One of the
    two vectors has every lane in its place, which takes a cheaper instruction than a shuffle.
    """
    lanes = a.type.count
    half = group // 2
    in_place, moved = [], []
    for lane in range(lanes):
        is_first = lane % group < half
        in_place.append(lane if is_first else lanes + lane)
        moved.append(lane + half if is_first else lanes + lane - half)
    return [
        builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, lanes), mask))
        for mask in (in_place, moved)
    ]


def _shuffled_half(builder, vector, group, side):
    half = group // 2
    starts = range(side * half, vector.type.count, group)
    mask = [start + lane for start in starts for lane in range(half)]
    return builder.shuffle_vector(
        vector, vector, ir.Constant(ir.VectorType(_INT32, len(mask)), mask)
    )


def _sums(builder, vectors):
    """The sum over the lanes of each of some vectors, as one vector with a lane for each.

    Their number is a power of two, and at most the number of their lanes.
    """
    group = vectors[0].type.count
    while len(vectors) > 1:
        middle = len(vectors) // 2
        vectors = [
            builder.fadd(*_halves(builder, a, b, group))
            for a, b in zip(vectors[:middle], vectors[middle:], strict=True)
        ]
        group //= 2
    total = vectors[0]
    while group > 1:
        sides = [_shuffled_half(builder, total, group, side) for side in (0, 1)]
        total = builder.fadd(*sides)
        group //= 2
    return total


@intrinsic
def sum_each(typingctx, block):
    sums = Block(Vector(block.vector.dtype, block.rows), block.columns, 1)

    def codegen(context, builder, signature, arguments):
        vectors = _unpack(builder, block, arguments[0])
        columns = [vectors[column :: block.columns] for column in range(block.columns)]
        return _pack(builder, sums, [_sums(builder, column) for column in columns])

    return sums(block), codegen


def _joined(builder, vectors):
    """Some vectors, a power of two of them, behind each other in one."""
    while len(vectors) > 1:
        lanes = 2 * vectors[0].type.count
        mask = ir.Constant(ir.VectorType(_INT32, lanes), list(range(lanes)))
        vectors = [
            builder.shuffle_vector(a, b, mask)
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


@intrinsic
def transpose(typingctx, block):
    lanes = block.vector.lanes
    transposed = Block(Vector(block.vector.dtype, block.rows), lanes, 1)

    def codegen(context, builder, signature, arguments):
        rows = _unpack(builder, block, arguments[0])
        vectors = [_joined(builder, rows[first::lanes]) for first in range(lanes)]
        half = lanes // 2
        while half:
            masks = [
                [lane + (block.rows - half if lane & half else 0) for lane in range(block.rows)],
                [lane + (block.rows if lane & half else half) for lane in range(block.rows)],
            ]
            for first in range(lanes):
                if first & half:
                    continue
                a, b = vectors[first], vectors[first + half]
                vectors[first], vectors[first + half] = (
                    builder.shuffle_vector(
                        a, b, ir.Constant(ir.VectorType(_INT32, block.rows), mask)
                    )
                    for mask in masks
                )
            half //= 2
        return _pack(builder, transposed, vectors)

    return transposed(block), codegen
