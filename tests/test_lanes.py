"""Every SIMD operation against its NumPy twin."""

import itertools

import numba
import numpy as np
import pytest

from softreg_fast.kernels.compile import plain
from softreg_fast.kernels.groups import Ahead
from softreg_fast.kernels.simd import lanes_llvm, lanes_numpy

CASES = [
    (np.float64, 4),
    *(
        pytest.param(*case, marks=pytest.mark.full)
        for case in [(np.float64, 8), (np.float32, 4), (np.float32, 8), (np.float32, 16)]
    ),
]
pytestmark = pytest.mark.parametrize(("dtype", "lanes"), CASES, ids=str)


def _matrix(dtype, lanes, seed=0):
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((6, 2 * lanes)).astype(dtype)
    matrix[1, :3] = [np.nan, np.inf, -np.inf]
    return matrix


def _compare(operation, dtype, lanes, *, exact=True):
    """Run `operation(module, a, b, out, width)` compiled and in NumPy."""
    a, b = _matrix(dtype, lanes), _matrix(dtype, lanes, seed=1)
    width = (0,) * lanes
    expected, found = np.zeros_like(a), np.zeros_like(a)
    with np.errstate(all="ignore"):
        operation(lanes_numpy)(a, b, expected, width)
    numba.njit(**plain.FLAGS)(operation(lanes_llvm))(a, b, found, width)
    if exact:
        np.testing.assert_array_equal(found, expected)
    else:
        # A fused multiplication and addition rounds once where NumPy rounds twice.
        rounding = 8 * np.finfo(dtype).eps * np.nanmax(np.abs(expected[np.isfinite(expected)]))
        np.testing.assert_allclose(found, expected, rtol=0, atol=rounding)


def test_load_and_store(dtype, lanes):
    def operation(module):
        load, store = module.load, module.store

        def run(a, b, out, width):
            store(out, 2, 1, load(a, 1, 1, width))

        return run

    _compare(operation, dtype, lanes)


def test_arithmetic(dtype, lanes):
    def operation(module):
        load, store, splat = module.load, module.store, module.splat

        def run(a, b, out, width):
            for row in range(2):
                x, y = load(a, row, 0, width), load(b, row, 0, width)
                store(out, row, 0, x + y)
                store(out, row + 2, 0, x * y - splat(3, x))
                store(out, row + 4, 0, x / y)
                store(out, row + 4, len(width), splat(0.1, x))

        return run

    _compare(operation, dtype, lanes)


def test_multiply_add(dtype, lanes):
    def operation(module):
        load, store, multiply_add = module.load, module.store, module.multiply_add

        def run(a, b, out, width):
            x, y = load(a, 0, 0, width), load(b, 0, 0, width)
            store(out, 0, 0, multiply_add(x, x, y * y))

        return run

    _compare(operation, dtype, lanes, exact=False)


def test_minimum_and_maximum_keep_nan_of_the_first(dtype, lanes):
    def operation(module):
        load, store = module.load, module.store
        minimum, maximum = module.minimum, module.maximum

        def run(a, b, out, width):
            x, y = load(a, 1, 0, width), load(b, 0, 0, width)
            store(out, 0, 0, minimum(x, y))
            store(out, 1, 0, maximum(x, y))
            store(out, 2, 0, minimum(y, x))
            store(out, 3, 0, maximum(y, x))

        return run

    _compare(operation, dtype, lanes)
    x = np.array([np.nan] * lanes, dtype)
    assert np.isnan(lanes_numpy.minimum(x, x + 1)).all()
    assert not np.isnan(lanes_numpy.maximum(np.zeros(lanes, dtype), x)).any()


def test_selections(dtype, lanes):
    def operation(module):
        load, store = module.load, module.store
        less, equal = module.select_less, module.select_equal

        def run(a, b, out, width):
            x, y = load(a, 1, 0, width), load(b, 0, 0, width)
            store(out, 0, 0, less(x, y, x, y))
            store(out, 1, 0, equal(x, x, x, y))
            store(out, 2, 0, equal(x, y, x, y))

        return run

    _compare(operation, dtype, lanes)


def test_sum_of_lanes(dtype, lanes):
    def operation(module):
        load, sum_lanes = module.load, module.sum_lanes

        def run(a, b, out, width):
            out[0, 0] = sum_lanes(load(a, 0, 0, width))
            out[0, 1] = sum_lanes(load(b, 3, 0, width) * load(b, 3, 0, width))
            out[0, 2] = sum_lanes(load(a, 1, 0, width))

        return run

    _compare(operation, dtype, lanes, exact=False)


def test_blocks(dtype, lanes):
    three, two, one = (0,) * 3, (0,) * 2, (0,)

    def operation(module):
        load, splat_down, block_of = module.load, module.splat_down, module.block_of
        load_block, store_block = module.load_block, module.store_block
        add_outer, repeat_down = module.add_outer, module.repeat_down
        repeat_along = module.repeat_along

        def run(a, b, out, width):
            row = load_block(b, 0, 0, width, one, two)
            column = splat_down(a, 2, 1, load(b, 0, 0, width), three)
            block = add_outer(repeat_down(row, three), column, row)
            block = block + block_of(load(b, 4, 1, width), three, two)
            block = block + repeat_along(column, two)
            store_block(out, 1, 0, block + load_block(a, 2, 0, width, three, two))

        return run

    _compare(operation, dtype, lanes, exact=False)


def test_prefetching_never_faults(dtype, lanes):
    def operation(module):
        prefetch, prefetch_closest_along = module.prefetch, module.prefetch_closest_along
        prefetch_numbered = module.prefetch_numbered
        numbers, two = np.array([10**9, -(10**9)]), (0,) * 2

        def run(a, b, out, width):
            prefetch(a, 1000, 10**9)
            prefetch_closest_along(a, 10**9, 5, width, two)
            prefetch_numbered(a, numbers, 0, 3, two)

        return run

    _compare(operation, dtype, lanes)


def test_partial_loads_convert_and_fill_up_with_zeros(dtype, lanes):
    """The last row of the array ends where the readable elements do."""
    three = (0,) * 3
    numbers = np.array([9, 5, 0, 5])

    def operation(module):
        load, load_numbered = module.load, module.load_numbered
        store_block, store = module.store_block, module.store
        load_as = module.load_as

        def run(a, b, out, width):
            like = load(out, 0, 0, width)
            n_columns = a.shape[1]
            last = n_columns - 2
            store_block(out, 0, 0, load_numbered(a, numbers, 1, last, 2, like, three))
            store(out, 5, 0, load_as(a, 0, 1, like))

        return run

    _compare(operation, dtype, lanes)
    for other in (np.float32, np.float64):
        a = _matrix(other, lanes)
        expected, found = np.ones((2, 6, 2 * lanes), dtype)
        width = (0,) * lanes
        operation(lanes_numpy)(a, a, expected, width)
        numba.njit(**plain.FLAGS)(operation(lanes_llvm))(a, a, found, width)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("other", [np.float32, np.float64])
def test_whole_loads_convert(dtype, lanes, other):
    three = (0,) * 3
    numbers = np.array([4, 5, 0, 5])
    a = _matrix(other, lanes)

    def operation(module):
        load, load_numbered = module.load, module.load_numbered
        store_block = module.store_block

        def run(a, out, width):
            like = load(out, 0, 0, width)
            store_block(out, 0, 0, load_numbered(a, numbers, 1, 2, None, like, three))

        return run

    expected, found = np.ones((2, 4, 2 * lanes), dtype)
    width = (0,) * lanes
    operation(lanes_numpy)(a, expected, width)
    numba.njit(**plain.FLAGS)(operation(lanes_llvm))(a, found, width)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found[:3, :lanes], a[[5, 0, 5], 2 : 2 + lanes].astype(dtype))


@pytest.mark.parametrize("other", [np.float32, np.float64])
def test_stores_convert(dtype, lanes, other):
    a, out = _matrix(dtype, lanes), np.zeros((2, lanes), other)
    load, store = lanes_llvm.load, lanes_llvm.store

    def run(array, array_out, width):
        store(array_out, 1, 0, load(array, 0, 0, width))

    numba.njit(**plain.FLAGS)(run)(a, out, (0,) * lanes)
    np.testing.assert_array_equal(out[1], a[0, :lanes].astype(other))


@pytest.mark.parametrize("times", [0.5, 1, 2, 4])
def test_transposition(dtype, lanes, times):
    """Of fewer rows than lanes, of as many, and of more."""
    a = np.random.default_rng(0).standard_normal((int(times * lanes), lanes)).astype(dtype)
    rows = (0,) * len(a)

    def operation(module):
        load_block, store_block = module.load_block, module.store_block
        transpose = module.transpose

        def run(a, out, width, rows):
            store_block(out, 0, 0, transpose(load_block(a, 0, 0, width, rows, (0,))))

        return run

    for run in (numba.njit(**plain.FLAGS)(operation(lanes_llvm)), operation(lanes_numpy)):
        out = np.zeros_like(a.T, order="C")
        run(a, out, (0,) * lanes, rows)
        np.testing.assert_array_equal(out, a.T)


def _products(dtype, other, n_columns):
    """Vectors that lie beside others in memory, numbers of some of them, and a matrix."""
    random = np.random.default_rng(n_columns)
    vectors = random.standard_normal((14, n_columns + 3)).astype(other)[:, :n_columns]
    numbers = random.permutation(14)
    return vectors, numbers, random.standard_normal((6, n_columns + 48)).astype(dtype)


def _compiled_and_twin(operation):
    """What compares the two; of arguments of the same types it is compiled once."""
    twin, compiled = operation(lanes_numpy), numba.njit(**plain.FLAGS)(operation(lanes_llvm))

    def compare(out, *arguments):
        expected, found = out.copy(), out.copy()
        twin(*arguments, expected)
        compiled(*arguments, found)
        # NumPy adds the products, 83 at most, in another order and rounds them first.
        tolerance = 100 * np.finfo(out.dtype).eps
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        assert not np.array_equal(found, out)

    return compare


OTHERS = pytest.mark.parametrize("other", [np.float32, np.float64])


@OTHERS
@pytest.mark.parametrize(("n_rows", "n_ahead"), [(1, 0), (2, 0), (4, 2)])
def test_contracted_products(dtype, lanes, other, n_rows, n_ahead):
    """Of rows longer than whole vectors; what is behind their ends is not read."""
    width, rows, classes = ((0,) * size for size in (lanes, n_rows, 2))

    def operation(module):
        load_block, store_block, contract = module.load_block, module.store_block, module.contract

        def run(vectors, numbers, n_columns, matrix, ahead, out):
            sums = load_block(matrix, 0, 0, width, rows, classes)
            for group in range(0, 4, 2):
                found = contract(sums, vectors, numbers, 3, 1, n_columns, matrix, group, ahead)
                store_block(out, group, 0, found)

        return run

    compare = _compiled_and_twin(operation)
    for n_whole in (0, 1, 5):
        n_columns = n_whole * lanes + 3
        vectors, numbers, matrix = _products(dtype, other, n_columns + 2)
        vectors[:, 1 + n_columns :] = np.nan
        matrix[:, n_columns : (n_whole + 1) * lanes] = 0.0
        for number in (-1, 4):
            ahead = Ahead(number, 0, (0,) * n_ahead, (vectors.T, 0, 1, ()), 0)
            out = np.zeros((4, n_rows), dtype)
            compare(out, vectors, numbers, n_columns, matrix, ahead)


@OTHERS
def test_products_contracted_by_class(dtype, lanes, other):
    width, rows, columns = ((0,) * size for size in (lanes, 4, 2))

    def operation(module):
        load_block, store_block = module.load_block, module.store_block
        repeat_down, contract_by_class = module.repeat_down, module.contract_by_class

        def run(vectors, numbers, n_columns, weights, out):
            sums = repeat_down(load_block(weights, n_columns, 0, width, (0,), columns), rows)
            found = contract_by_class(sums, vectors, numbers, 3, n_columns, weights)
            store_block(out, 0, 0, found)

        return run

    compare = _compiled_and_twin(operation)
    for n_columns in (1, 16, 21):
        vectors, numbers, _ = _products(dtype, other, n_columns)
        weights = np.random.default_rng(0).standard_normal((n_columns + 1, 2 * lanes))
        out = np.zeros((2 * lanes, 4), dtype)
        compare(out, vectors, numbers, n_columns, weights.astype(dtype))


@OTHERS
@pytest.mark.parametrize(("n_ahead", "n_coming"), [(0, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize("is_whole", [True, False])
def test_combined_products(dtype, lanes, other, n_ahead, n_coming, is_whole):
    """Of vectors that are whole or not, or that end before the last; nothing behind is read."""
    width, classes, columns = ((0,) * size for size in (lanes, 3, 2))

    def operation(module):
        load_block, store_block, combine = module.load_block, module.store_block, module.combine

        def run(vectors, numbers, n_rows, scalars, count, ahead, out):
            sums = load_block(scalars, 0, 0, width, classes, columns)
            found = combine(sums, scalars, 2, vectors, numbers, n_rows, 1, count, ahead)
            store_block(out, 0, 0, found)

        return run

    compare = _compiled_and_twin(operation)
    counts = [None] if is_whole else [1, lanes, 2 * lanes - 2, 2 * lanes]
    for count, n_rows, number in itertools.product(counts, (1, 6), (-1, 4)):
        vectors, numbers, scalars = _products(dtype, other, 2 * lanes + 1)
        if count is not None:
            vectors[:, 1 + count :] = np.nan
        coming = vectors.T, 2, 2 * lanes, (0,) * n_coming
        ahead = Ahead(number, 0, (0,) * n_ahead, coming, 3)
        out = np.zeros((3, 2 * lanes), dtype)
        compare(out, vectors, numbers, n_rows, scalars, count, ahead)


@OTHERS
@pytest.mark.parametrize(("n_vectors", "n_parts"), [(1, 1), (2, 4), (3, 4)])
def test_combined_listed_rows(dtype, lanes, other, n_vectors, n_parts):
    """Rows may be listed twice; what is listed outside of the range isn't read."""
    columns, width, one, parts = ((0,) * size for size in (n_vectors, lanes, 1, n_parts))

    def operation(module):
        load_block, store_block = module.load_block, module.store_block
        combine_listed = module.combine_listed

        def run(factors, numbers, start, stop, vectors, out):
            sums = load_block(vectors, 0, 1, width, one, columns)
            found = combine_listed(sums, factors, numbers, start, stop, vectors, 1, parts)
            store_block(out, 0, 0, found)

        return run

    compare = _compiled_and_twin(operation)
    random = np.random.default_rng(0)
    vectors = random.standard_normal((5, 1 + n_vectors * lanes)).astype(dtype)
    for index_dtype, n_listed in itertools.product((np.int32, np.int64), (0, 1, 4, 7)):
        factors = random.standard_normal(n_listed + 2).astype(other)
        numbers = random.integers(0, 5, n_listed + 2).astype(index_dtype)
        factors[[0, -1]] = np.nan
        out = np.zeros((1, n_vectors * lanes), dtype)
        compare(out, factors, numbers, 1, 1 + n_listed, vectors)
