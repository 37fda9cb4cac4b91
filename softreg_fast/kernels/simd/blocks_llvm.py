"""Blocks of SIMD vectors as LLVM instructions; see `vectors_llvm.py`."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import call as _call
from ..compile.llvm_code import element_address as _address
from .prefetch_llvm import numbered_addresses
from .vectors_llvm import (
    INT32,
    INT64,
    Block,
    Vector,
    broadcast,
    convert_vector,
    emit_multiply_add,
    load_vector,
    pack,
    store_vector,
    unpack,
)


@intrinsic
def block_of(typingctx, vector, rows, columns):
    block = Block(vector, rows.count, columns.count)

    def codegen(context, builder, signature, arguments):
        return pack(builder, block, [arguments[0]] * (block.rows * block.columns))

    return block(vector, rows, columns), codegen


@intrinsic
def repeat_down(typingctx, vectors, rows):
    block = Block(vectors.vector, rows.count, vectors.rows * vectors.columns)

    def codegen(context, builder, signature, arguments):
        return pack(builder, block, unpack(builder, vectors, arguments[0]) * block.rows)

    return block(vectors, rows), codegen


@intrinsic
def repeat_along(typingctx, vectors, columns):
    block = Block(vectors.vector, vectors.rows * vectors.columns, columns.count)

    def codegen(context, builder, signature, arguments):
        unpacked = unpack(builder, vectors, arguments[0])
        return pack(builder, block, [vector for vector in unpacked for _ in range(block.columns)])

    return block(vectors, columns), codegen


def add_products(builder, vector, summands, down, along):
    """Add the products of every vector of `down` with every one of `along`, row by row.

    `down` may make its vectors as they are asked for, so that each is loaded where it is used.
    """
    pairs = ((factor, column) for factor in down for column in along)
    return [
        emit_multiply_add(builder, vector, factor, column, summand)
        for (factor, column), summand in zip(pairs, summands, strict=True)
    ]


@intrinsic
def add_outer(typingctx, block, scalars, row):
    def codegen(context, builder, signature, arguments):
        summands = unpack(builder, block, arguments[0])
        down = unpack(builder, scalars, arguments[1])
        along = unpack(builder, row, arguments[2])
        return pack(builder, block, add_products(builder, block.vector, summands, down, along))

    return block(block, scalars, row), codegen


def _splat_at(context, builder, address, dtype, like):
    """The number at an address in every lane."""
    scalar = context.unpack_value(builder, dtype, address)
    return broadcast(builder, context.cast(builder, scalar, dtype, like.dtype), like.lanes)


@intrinsic
def splat_down(typingctx, array, row, column, like, rows):
    block = Block(like, rows.count, 1)

    def codegen(context, builder, signature, arguments):
        array_type = signature.args[0]
        first_row = context.cast(builder, arguments[1], signature.args[1], types.intp)
        splats = []
        for offset in range(block.rows):
            position = [builder.add(first_row, ir.Constant(INT64, offset)), arguments[2]]
            address = _address(
                context, builder, array_type, arguments[0], position, [types.intp, column]
            )
            splats.append(_splat_at(context, builder, address, array.dtype, like))
        return pack(builder, block, splats)

    return block(array, row, column, like, rows), codegen


def _block_addresses(context, builder, signature, arguments, block):
    first_row = context.cast(builder, arguments[1], signature.args[1], types.intp)
    first_column = context.cast(builder, arguments[2], signature.args[2], types.intp)
    for row_offset in range(block.rows):
        row = builder.add(first_row, ir.Constant(INT64, row_offset))
        for column_offset in range(block.columns):
            offset = ir.Constant(INT64, column_offset * block.vector.lanes)
            column = builder.add(first_column, offset)
            yield _address(
                context, builder, signature.args[0], arguments[0], [row, column], [types.intp] * 2
            )


@intrinsic
def load_block(typingctx, array, row, column, width, rows, columns):
    block = Block(Vector(array.dtype, width.count), rows.count, columns.count)

    def codegen(context, builder, signature, arguments):
        addresses = _block_addresses(context, builder, signature, arguments, block)
        loaded = [load_vector(builder, address, block.vector) for address in addresses]
        return pack(builder, block, loaded)

    return block(array, row, column, width, rows, columns), codegen


@intrinsic
def store_block(typingctx, array, row, column, block):
    def codegen(context, builder, signature, arguments):
        addresses = _block_addresses(context, builder, signature, arguments, block)
        vectors = unpack(builder, block, arguments[3])
        for address, vector in zip(addresses, vectors, strict=True):
            store_vector(builder, address, block.vector, vector)
        return context.get_dummy_value()

    return types.void(array, row, column, block), codegen


def _count(context, builder, count, count_type):
    is_none = isinstance(count_type, types.NoneType)
    return None if is_none else context.cast(builder, count, count_type, types.intp)


def load_first(builder, address, stored, count, like):
    """A vector of the `count` numbers from an address on, zeros behind them; of all for None.

    It is of the type `stored` in memory, and is given in the type `like`.
    """
    if count is None:
        value = load_vector(builder, address, stored)
        return convert_vector(builder, value, stored.dtype, like.dtype)
    lane_numbers = ir.Constant(ir.VectorType(INT64, like.lanes), list(range(like.lanes)))
    mask = builder.icmp_signed("<", lane_numbers, broadcast(builder, count, like.lanes))
    pointer = builder.bitcast(address, ir.PointerType(stored.llvm_type))
    value = _call(
        builder,
        f"llvm.masked.load.{stored.suffix}.p0",
        stored.llvm_type,
        [
            pointer,
            ir.Constant(INT32, stored.dtype.bitwidth // 8),
            mask,
            ir.Constant(stored.llvm_type, [0.0] * like.lanes),
        ],
    )
    return convert_vector(builder, value, stored.dtype, like.dtype)


@intrinsic
def load_numbered(typingctx, array, numbers, first, column, count, like, rows):
    block = Block(like, rows.count, 1)

    def codegen(context, builder, signature, arguments):
        count_value = _count(context, builder, arguments[4], count)
        addresses = numbered_addresses(context, builder, signature, arguments, block.rows)
        stored = Vector(array.dtype, like.lanes)
        vectors = [load_first(builder, address, stored, count_value, like) for address in addresses]
        return pack(builder, block, vectors)

    return block(array, numbers, first, column, count, like, rows), codegen


def _selected(builder, a, b, lanes):
    """Some of the lanes of two vectors, those of the second numbered after those of the first."""
    mask = list(lanes)
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INT32, len(mask)), mask))


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
    return [_selected(builder, a, b, mask) for mask in (in_place, moved)]


def _shuffled_half(builder, vector, group, side):
    half = group // 2
    starts = range(side * half, vector.type.count, group)
    mask = [start + lane for start in starts for lane in range(half)]
    return _selected(builder, vector, vector, mask)


def sum_vectors(builder, vectors):
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


def _joined(builder, vectors):
    """Some vectors, a power of two of them, behind each other in one."""
    while len(vectors) > 1:
        lanes = 2 * vectors[0].type.count
        vectors = [
            _selected(builder, a, b, range(lanes))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    return vectors[0]


def transposed(builder, rows):
    """Vectors with a lane for each of some vectors, one for each of their lanes.

    Of both there is a power of two.
    """
    n_rows, lanes = len(rows), rows[0].type.count
    if n_rows < lanes:
        parts = [
            [_selected(builder, row, row, range(first, first + n_rows)) for row in rows]
            for first in range(0, lanes, n_rows)
        ]
        return [vector for part in parts for vector in transposed(builder, part)]
    vectors = [_joined(builder, rows[first::lanes]) for first in range(lanes)]
    half = lanes // 2
    while half:
        masks = [
            [lane + (n_rows - half if lane & half else 0) for lane in range(n_rows)],
            [lane + (n_rows if lane & half else half) for lane in range(n_rows)],
        ]
        for first in range(lanes):
            if not first & half:
                a, b = vectors[first], vectors[first + half]
                vectors[first], vectors[first + half] = (
                    _selected(builder, a, b, mask) for mask in masks
                )
        half //= 2
    return vectors


@intrinsic
def transpose(typingctx, block):
    result = Block(Vector(block.vector.dtype, block.rows), block.vector.lanes, 1)

    def codegen(context, builder, signature, arguments):
        rows = unpack(builder, block, arguments[0])
        return pack(builder, result, transposed(builder, rows))

    return result(block), codegen
