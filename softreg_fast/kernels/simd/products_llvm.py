"""Loops of products over blocks of SIMD vectors as LLVM instructions; see `vectors_llvm.py`.

Whole loops, since what a turn needs beside its loads and products counts: addresses that don't
change are taken before, and what is to be fetched ahead has a loop of its own.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import Matrix, counted_loop
from .blocks_llvm import add_products, load_first, sum_vectors, transposed
from .cpu import CACHE_LINE
from .prefetch_llvm import FIRST_LEVEL, emit_prefetch
from .vectors_llvm import (
    INT64,
    Block,
    Vector,
    broadcast,
    load_vector,
    pack,
    unpack,
)

# Rows that are combined in a turn: what else a turn needs would cost as much as their products.
_ROWS_PER_TURN = 2
# Where rows are listed, sums of so many vectors wait for each other if they aren't taken in parts.
_FEW_VECTORS = 2
_MOST_PARTS_OF_FEW, _MOST_PARTS = 4, 2


def _number(value):
    return ir.Constant(INT64, value)


class _Ahead:
    """A `groups.Ahead`: its fields, and how many rows or vectors it has at a time."""

    def __init__(self, builder, ahead_type, ahead):
        self.number, self.column, _, self.coming, self.n_fetched = (
            builder.extract_value(ahead, place) for place in range(len(ahead_type.fields))
        )
        kinds = dict(zip(ahead_type.fields, ahead_type.types, strict=True))
        self.n_blocks = kinds["blocks"].count
        self.coming_type = kinds["coming"]


class _Coming:
    """What of the next tile's columns is fetched with each turn; see `groups.Ahead`."""

    def __init__(self, context, builder, ahead, lanes):
        self._builder = builder
        self._n_vectors = ahead.coming_type.types[3].count
        self._lanes = lanes
        self.start = []
        if not self._n_vectors:
            return
        columns, self._first_row, self._tile_rows, _ = (
            builder.extract_value(ahead.coming, place) for place in range(4)
        )
        self._columns = Matrix(context, builder, ahead.coming_type.types[0], columns)
        number = ahead.n_fetched
        rounded = builder.add(self._tile_rows, _number(lanes - 1))
        per_column = builder.sdiv(rounded, _number(lanes))
        column = builder.sdiv(number, per_column)
        row = builder.sub(number, builder.mul(column, per_column))
        self.start = [self._bounded(column), builder.mul(row, _number(lanes))]

    def _bounded(self, column):
        last = self._builder.sub(self._columns.n_rows, _number(1))
        return self._builder.select(self._builder.icmp_signed("<", column, last), column, last)

    def fetch(self, place):
        """Fetch the vectors at a place; gives the next one."""
        if not self._n_vectors:
            return []
        builder = self._builder
        column, row = place
        address = self._columns.address(column, builder.add(self._first_row, row))
        for vector in range(self._n_vectors):
            offset = _number(vector * self._lanes * self._columns.itemsize)
            emit_prefetch(builder, builder.gep(address, [offset]), FIRST_LEVEL)
        row = builder.add(row, _number(self._n_vectors * self._lanes))
        is_end = builder.icmp_signed(">=", row, self._tile_rows)
        following = self._bounded(builder.add(column, _number(1)))
        return [
            builder.select(is_end, following, column),
            builder.select(is_end, _number(0), row),
        ]


def _accumulate(builder, coming, sums, place, start, stop, n_per_turn, stride, add, fetch=None):
    """A loop that adds to sums, some times in a turn; gives them, and what comes next."""
    n_sums = len(sums)
    with counted_loop(builder, start, stop, n_per_turn * stride, [*sums, *place]) as loop:
        if fetch is not None:
            fetch(loop.counter)
        sums, place = loop.values[:n_sums], loop.values[n_sums:]
        for turn in range(n_per_turn):
            place = coming.fetch(place)
            sums = add(sums, builder.add(loop.counter, _number(turn * stride)))
        loop.update([*sums, *place])
    return loop.values[:n_sums], loop.values[n_sums:]


def _with_and_without(builder, ahead, emit):
    """What a loop gives, one of two: with fetching ahead if that is wanted, and without."""
    if not ahead.n_blocks:
        return emit(False)
    wanted = builder.icmp_signed(">=", ahead.number, _number(0))
    with builder.if_else(wanted) as (then, otherwise):
        with then:
            first = emit(True)
            first_end = builder.block
        with otherwise:
            second = emit(False)
            second_end = builder.block
    results = []
    for fetching, plain in zip(first, second, strict=True):
        result = builder.phi(fetching.type)
        result.add_incoming(fetching, first_end)
        result.add_incoming(plain, second_end)
        results.append(result)
    return results


def _numbered(context, builder, numbers_type, numbers):
    view = context.make_array(numbers_type)(context, builder, numbers)
    return lambda place: builder.load(builder.gep(view.data, [place]))


@intrinsic
def contract(typingctx, sums, vectors, numbers, first, start, n_columns, matrix, group, ahead):
    vector, side, classes = sums.vector, sums.rows, sums.columns
    lanes, itemsize = vector.lanes, vectors.dtype.bitwidth // 8
    stored = Vector(vectors.dtype, lanes)
    result = Block(Vector(vector.dtype, side), classes, 1)

    def codegen(context, builder, signature, arguments):
        first_row, start_column, stop, first_class = (
            context.cast(builder, arguments[place], signature.args[place], types.intp)
            for place in (3, 4, 5, 7)
        )
        rows = Matrix(context, builder, signature.args[1], arguments[1])
        along = Matrix(context, builder, signature.args[6], arguments[6])
        number = _numbered(context, builder, signature.args[2], arguments[2])

        def addresses_from(first_number, count, column):
            return [
                rows.address(number(builder.add(first_number, _number(place))), column)
                for place in range(count)
            ]

        down_addresses = addresses_from(first_row, side, start_column)
        along_addresses = [
            along.address(builder.add(first_class, _number(place)), _number(0))
            for place in range(classes)
        ]
        whole = builder.and_(stop, _number(-lanes))
        later = _Ahead(builder, ahead, arguments[8])
        coming = _Coming(context, builder, later, lanes)

        def add_vectors(summands, column, count=None):
            offset = builder.mul(column, _number(along.itemsize))
            rights = [
                load_vector(builder, builder.gep(address, [offset]), vector)
                for address in along_addresses
            ]
            offset = builder.mul(column, _number(itemsize))
            lefts = (
                load_first(builder, builder.gep(address, [offset]), stored, count, vector)
                for address in down_addresses
            )
            return add_products(builder, vector, summands, lefts, rights)

        def emit(is_fetching):
            found, place, begin = unpack(builder, sums, arguments[0]), coming.start, _number(0)
            if is_fetching:
                # A cache line in a turn, so that none is asked for twice.
                n_per_turn = max(CACHE_LINE // (lanes * itemsize), 1)
                fetched = addresses_from(later.number, later.n_blocks, begin)

                def fetch(column):
                    offset = builder.mul(column, _number(itemsize))
                    for address in fetched:
                        emit_prefetch(builder, builder.gep(address, [offset]))

                end = builder.and_(stop, _number(-n_per_turn * lanes))
                found, place = _accumulate(
                    builder, coming, found, place, begin, end, n_per_turn, lanes, add_vectors, fetch
                )
                begin = end
            return _accumulate(builder, coming, found, place, begin, whole, 1, lanes, add_vectors)[
                0
            ]

        totals = _with_and_without(builder, later, emit)
        before = builder.block
        with builder.if_then(builder.icmp_signed("<", whole, stop)):
            last = add_vectors(totals, whole, builder.sub(stop, whole))
            behind = builder.block
        found = []
        for total, with_last in zip(totals, last, strict=True):
            chosen = builder.phi(total.type)
            chosen.add_incoming(total, before)
            chosen.add_incoming(with_last, behind)
            found.append(chosen)
        columns = [found[column::classes] for column in range(classes)]
        return pack(builder, result, [sum_vectors(builder, column) for column in columns])

    return result(sums, vectors, numbers, first, start, n_columns, matrix, group, ahead), codegen


@intrinsic
def combine(typingctx, sums, scalars, group, vectors, numbers, n_rows, column, count, ahead):
    vector, classes, columns = sums.vector, sums.rows, sums.columns
    lanes, itemsize = vector.lanes, vectors.dtype.bitwidth // 8
    stored = Vector(vectors.dtype, lanes)
    has_count = not isinstance(count, types.NoneType)
    element = vector.llvm_type.element

    def codegen(context, builder, signature, arguments):
        def integer(place):
            return context.cast(builder, arguments[place], signature.args[place], types.intp)

        first_class, stop, first_column = (integer(place) for place in (2, 5, 6))
        rows = Matrix(context, builder, signature.args[3], arguments[3])
        down = Matrix(context, builder, signature.args[1], arguments[1])
        number = _numbered(context, builder, signature.args[4], arguments[4])
        down_addresses = [
            down.address(builder.add(first_class, _number(place)), _number(0))
            for place in range(classes)
        ]
        counts = [None] * columns
        if has_count:
            counts = [builder.sub(integer(7), _number(place * lanes)) for place in range(columns)]
        later = _Ahead(builder, ahead, arguments[8])
        coming = _Coming(context, builder, later, lanes)

        def add_row(summands, row, is_fetching):
            if is_fetching:
                address = rows.address(number(builder.add(later.number, row)), later.column)
                for place in range(later.n_blocks):
                    offset = _number(place * lanes * itemsize)
                    emit_prefetch(builder, builder.gep(address, [offset]))
            address = rows.address(number(row), first_column)
            offset = builder.mul(row, _number(down.itemsize))
            scales = []
            for each in down_addresses:
                there = builder.bitcast(builder.gep(each, [offset]), ir.PointerType(element))
                scales.append(broadcast(builder, builder.load(there, typ=element), lanes))
            added = list(summands)
            for position in range(columns):
                there = builder.gep(address, [_number(position * lanes * itemsize)])
                along = load_first(builder, there, stored, counts[position], vector)
                # The sums of a vector are those of its column, one for each class.
                added[position::columns] = add_products(
                    builder, vector, summands[position::columns], scales, [along]
                )
            return added

        def emit(is_fetching):
            def add(summands, row):
                return add_row(summands, row, is_fetching)

            found, place = unpack(builder, sums, arguments[0]), coming.start
            whole = builder.and_(stop, _number(-_ROWS_PER_TURN))
            found, place = _accumulate(
                builder, coming, found, place, _number(0), whole, _ROWS_PER_TURN, 1, add
            )
            return _accumulate(builder, coming, found, place, whole, stop, 1, 1, add)[0]

        return pack(builder, sums, _with_and_without(builder, later, emit))

    return sums(sums, scalars, group, vectors, numbers, n_rows, column, count, ahead), codegen


@intrinsic
def contract_by_class(typingctx, sums, vectors, numbers, first, n_columns, weights):
    vector, side, n_vectors = sums.vector, sums.rows, sums.columns
    lanes, itemsize = vector.lanes, vectors.dtype.bitwidth // 8
    result = Block(Vector(vector.dtype, side), n_vectors * lanes, 1)

    def codegen(context, builder, signature, arguments):
        first_row = context.cast(builder, arguments[3], first, types.intp)
        stop = context.cast(builder, arguments[4], n_columns, types.intp)
        rows = Matrix(context, builder, signature.args[1], arguments[1])
        along = Matrix(context, builder, signature.args[5], arguments[5])
        number = _numbered(context, builder, signature.args[2], arguments[2])
        addresses = [
            rows.address(number(builder.add(first_row, _number(place))), _number(0))
            for place in range(side)
        ]
        stored = ir.DoubleType() if vectors.dtype == types.float64 else ir.FloatType()
        carried = unpack(builder, sums, arguments[0])
        with counted_loop(builder, _number(0), stop, 1, carried) as loop:
            there = along.address(loop.counter, _number(0))
            rights = [
                load_vector(
                    builder, builder.gep(there, [_number(place * lanes * along.itemsize)]), vector
                )
                for place in range(n_vectors)
            ]
            offset = builder.mul(loop.counter, _number(itemsize))

            def splat_at(address):
                pointer = builder.bitcast(builder.gep(address, [offset]), ir.PointerType(stored))
                scalar = builder.load(pointer, typ=stored)
                return broadcast(
                    builder, context.cast(builder, scalar, vectors.dtype, vector.dtype), lanes
                )

            lefts = map(splat_at, addresses)
            loop.update(add_products(builder, vector, loop.values, lefts, rights))
        columns = [loop.values[place::n_vectors] for place in range(n_vectors)]
        return pack(
            builder,
            result,
            [each for column in columns for each in transposed(builder, column)],
        )

    return result(sums, vectors, numbers, first, n_columns, weights), codegen


@intrinsic
def combine_listed(typingctx, sums, factors, numbers, start, stop, vectors, column, parts):
    vector, columns = sums.vector, sums.columns
    lanes = vector.lanes
    n_parts = min(parts.count, _MOST_PARTS_OF_FEW if columns <= _FEW_VECTORS else _MOST_PARTS)

    def codegen(context, builder, signature, arguments):
        def integer(place):
            return context.cast(builder, arguments[place], signature.args[place], types.intp)

        first, last, first_column = (integer(place) for place in (3, 4, 6))
        rows = Matrix(context, builder, signature.args[5], arguments[5])
        factor_at = _numbered(context, builder, signature.args[1], arguments[1])
        number_at = _numbered(context, builder, signature.args[2], arguments[2])
        if lanes * columns == 1:  # rows of one number each
            rows.set_stride(rows.itemsize)

        def add_row(summands, place):
            number = context.cast(builder, number_at(place), numbers.dtype, types.intp)
            address = rows.address(number, first_column)
            scalar = context.cast(builder, factor_at(place), factors.dtype, vector.dtype)
            along = (
                load_vector(
                    builder, builder.gep(address, [_number(each * lanes * rows.itemsize)]), vector
                )
                for each in range(columns)
            )
            return add_products(
                builder, vector, summands, [broadcast(builder, scalar, lanes)], along
            )

        begun = unpack(builder, sums, arguments[0])
        nothing = ir.Constant(vector.llvm_type, [0.0] * lanes)
        whole = builder.sub(last, builder.srem(builder.sub(last, first), _number(n_parts)))
        begun += [nothing] * (columns * (n_parts - 1))
        with counted_loop(builder, first, whole, n_parts, begun) as loop:
            added = []
            for part in range(n_parts):
                summands = loop.values[part * columns : (part + 1) * columns]
                added += add_row(summands, builder.add(loop.counter, _number(part)))
            loop.update(added)
        found = loop.values[:columns]
        for part in range(1, n_parts):
            summands = loop.values[part * columns : (part + 1) * columns]
            found = [builder.fadd(*pair) for pair in zip(found, summands, strict=True)]
        with counted_loop(builder, whole, last, 1, found) as loop:
            loop.update(add_row(loop.values, loop.counter))
        return pack(builder, sums, loop.values)

    return sums(sums, factors, numbers, start, stop, vectors, column, parts), codegen
