"""Loops of products over blocks of SIMD vectors as LLVM instructions; see `vectors_llvm.py`.

Whole loops, since what a turn needs beside its loads and products counts: addresses that don't
change are taken before, and what is to be fetched ahead has a loop of its own.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import Matrix, counted_loop
from .blocks_llvm import load_first, sum_vectors, transposed
from .prefetch_llvm import FIRST_LEVEL, emit_prefetch
from .vectors_llvm import (
    INT64,
    Block,
    Vector,
    broadcast,
    emit_multiply_add,
    load_vector,
    pack,
    unpack,
)

# Rows that are combined in a turn: what else a turn needs would cost as much as their products.
_ROWS_PER_TURN = 2
_CACHE_LINE = 64


def _number(value):
    return ir.Constant(INT64, value)


def _field(named_tuple, name):
    """Number and type of a field."""
    place = named_tuple.fields.index(name)
    return place, named_tuple.types[place]


class _Coming:
    """What of the next tile's columns is fetched with each turn; see `groups.Ahead`."""

    def __init__(self, context, builder, ahead_type, ahead, lanes):
        place, coming_type = _field(ahead_type, "coming")
        self._builder = builder
        self._n_vectors = coming_type.types[3].count
        self._lanes = lanes
        self.start = []
        if not self._n_vectors:
            return
        coming = builder.extract_value(ahead, place)
        columns = builder.extract_value(coming, 0)
        self._columns = Matrix(context, builder, coming_type.types[0], columns)
        self._first_row = builder.extract_value(coming, 1)
        self._tile_rows = builder.extract_value(coming, 2)
        number = builder.extract_value(ahead, _field(ahead_type, "n_fetched")[0])
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


def _with_and_without(builder, wanted, n_values, emit):
    """What a loop gives, one of two: with fetching ahead if that is wanted, and without."""
    if wanted is None:
        return emit(False)
    with builder.if_else(wanted) as (then, otherwise):
        with then:
            first = emit(True)
            first_end = builder.block
        with otherwise:
            second = emit(False)
            second_end = builder.block
    results = []
    for place in range(n_values):
        result = builder.phi(first[place].type)
        result.add_incoming(first[place], first_end)
        result.add_incoming(second[place], second_end)
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
    n_rows_ahead = _field(ahead, "blocks")[1].count

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
        coming = _Coming(context, builder, ahead, arguments[8], lanes)
        ahead_number = builder.extract_value(arguments[8], _field(ahead, "number")[0])
        wanted = builder.icmp_signed(">=", ahead_number, _number(0)) if n_rows_ahead else None

        def add_products(summands, column, count):
            offset = builder.mul(column, _number(along.itemsize))
            rights = [
                load_vector(builder, builder.gep(address, [offset]), vector)
                for address in along_addresses
            ]
            offset = builder.mul(column, _number(itemsize))
            added = []
            for place, address in enumerate(down_addresses):
                there = builder.gep(address, [offset])
                left = load_first(builder, there, stored, count, vector)
                added += [
                    emit_multiply_add(builder, vector, left, right, summand)
                    for right, summand in zip(
                        rights, summands[place * classes : (place + 1) * classes], strict=True
                    )
                ]
            return added

        def add_vectors(summands, place, begin, end, n_per_turn, fetched):
            carried = [*summands, *place]
            with counted_loop(builder, begin, end, n_per_turn * lanes, carried) as loop:
                for address in fetched:
                    offset = builder.mul(loop.counter, _number(itemsize))
                    emit_prefetch(builder, builder.gep(address, [offset]))
                summands, place = loop.values[: side * classes], loop.values[side * classes :]
                for turn in range(n_per_turn):
                    place = coming.fetch(place)
                    column = builder.add(loop.counter, _number(turn * lanes))
                    summands = add_products(summands, column, None)
                loop.update([*summands, *place])
            return loop.values[: side * classes], loop.values[side * classes :]

        def emit(is_fetching):
            summands, place, begin = unpack(builder, sums, arguments[0]), coming.start, _number(0)
            if is_fetching:
                # A cache line in a turn, so that none is asked for twice.
                n_per_turn = max(_CACHE_LINE // (lanes * itemsize), 1)
                fetched = addresses_from(ahead_number, n_rows_ahead, begin)
                end = builder.and_(stop, _number(-n_per_turn * lanes))
                summands, place = add_vectors(summands, place, begin, end, n_per_turn, fetched)
                begin = end
            return add_vectors(summands, place, begin, whole, 1, [])[0]

        totals = _with_and_without(builder, wanted, side * classes, emit)
        before = builder.block
        with builder.if_then(builder.icmp_signed("<", whole, stop)):
            last = add_products(totals, whole, builder.sub(stop, whole))
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
def combine(
    typingctx, sums, scalars, group, vectors, numbers, n_rows, column, count, column_ahead, ahead
):
    vector, classes, columns = sums.vector, sums.rows, sums.columns
    lanes, itemsize = vector.lanes, vectors.dtype.bitwidth // 8
    stored = Vector(vectors.dtype, lanes)
    has_count = not isinstance(count, types.NoneType)
    element = vector.llvm_type.element
    n_vectors_ahead = _field(ahead, "blocks")[1].count

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
        coming = _Coming(context, builder, ahead, arguments[9], lanes)
        ahead_number = builder.extract_value(arguments[9], _field(ahead, "number")[0])
        first_ahead = integer(8)
        wanted = builder.icmp_signed(">=", first_ahead, _number(0)) if n_vectors_ahead else None

        def add_row(summands, row, is_fetching):
            if is_fetching:
                later = rows.address(number(builder.add(ahead_number, row)), first_ahead)
                for vector_ahead in range(n_vectors_ahead):
                    offset = _number(vector_ahead * lanes * itemsize)
                    emit_prefetch(builder, builder.gep(later, [offset]))
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
                for label in range(classes):
                    place = label * columns + position
                    added[place] = emit_multiply_add(
                        builder, vector, scales[label], along, summands[place]
                    )
            return added

        def add_rows(summands, place, start, end, step, is_fetching):
            n_summands = len(summands)
            with counted_loop(builder, start, end, step, [*summands, *place]) as loop:
                summands, place = loop.values[:n_summands], loop.values[n_summands:]
                for turn in range(step):
                    place = coming.fetch(place)
                    row = builder.add(loop.counter, _number(turn))
                    summands = add_row(summands, row, is_fetching)
                loop.update([*summands, *place])
            return loop.values[:n_summands], loop.values[n_summands:]

        def emit(is_fetching):
            summands, place = unpack(builder, sums, arguments[0]), coming.start
            whole = builder.and_(stop, _number(-_ROWS_PER_TURN))
            summands, place = add_rows(
                summands, place, _number(0), whole, _ROWS_PER_TURN, is_fetching
            )
            return add_rows(summands, place, whole, stop, 1, is_fetching)[0]

        return pack(builder, sums, _with_and_without(builder, wanted, classes * columns, emit))

    return sums(
        sums, scalars, group, vectors, numbers, n_rows, column, count, column_ahead, ahead
    ), codegen


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
            added = []
            for place, address in enumerate(addresses):
                pointer = builder.bitcast(builder.gep(address, [offset]), ir.PointerType(stored))
                scalar = context.cast(
                    builder, builder.load(pointer, typ=stored), vectors.dtype, vector.dtype
                )
                left = broadcast(builder, scalar, lanes)
                summands = loop.values[place * n_vectors : (place + 1) * n_vectors]
                added += [
                    emit_multiply_add(builder, vector, left, right, summand)
                    for right, summand in zip(rights, summands, strict=True)
                ]
            loop.update(added)
        columns = [loop.values[place::n_vectors] for place in range(n_vectors)]
        return pack(
            builder,
            result,
            [each for column in columns for each in transposed(builder, column)],
        )

    return result(sums, vectors, numbers, first, n_columns, weights), codegen
