"""Every SIMD operation against its NumPy twin."""

import numba
import numpy as np
import pytest

from softreg_fast.kernels import jit, lanes_llvm, lanes_numpy

CASES = [(np.float64, 4), (np.float64, 8), (np.float32, 4), (np.float32, 8), (np.float32, 16)]
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
    numba.njit(**jit._FLAGS)(operation(lanes_llvm))(a, b, found, width)
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
        less, lane, first = module.select_less, module.select_lane, module.select_first

        def run(a, b, out, width):
            x, y = load(a, 1, 0, width), load(b, 0, 0, width)
            store(out, 0, 0, less(x, y, x, y))
            store(out, 1, 0, lane(2, x, y))
            store(out, 2, 0, lane(-1, x, y))
            store(out, 3, 0, first(3, x, y))
            store(out, 4, 0, first(-5, x, y))
            store(out, 5, 0, first(100, x, y))

        return run

    _compare(operation, dtype, lanes)


def test_reductions(dtype, lanes):
    def operation(module):
        load, max_lanes, sum_lanes = module.load, module.max_lanes, module.sum_lanes

        def run(a, b, out, width):
            out[0, 0] = max_lanes(load(a, 0, 0, width))
            out[0, 1] = sum_lanes(load(b, 3, 0, width) * load(b, 3, 0, width))
            out[0, 2] = max_lanes(load(a, 1, 0, width))

        return run

    _compare(operation, dtype, lanes, exact=False)


def test_shift_to_exponent(dtype, lanes):
    rounder = 1.5 * 2.0 ** (52 if dtype == np.float64 else 23)

    def operation(module):
        store, load, splat = module.store, module.load, module.splat
        shift_to_exponent = module.shift_to_exponent

        def run(a, b, out, width):
            x = load(a, 0, 0, width)
            for row in range(6):
                store(out, row, 0, shift_to_exponent(splat(rounder, x) + splat(25 * row - 60, x)))

        return run

    _compare(operation, dtype, lanes)
    expected = dtype(2.0**-60)
    assert lanes_numpy.shift_to_exponent(np.array([rounder - 60], dtype))[0] == expected


def test_blocks(dtype, lanes):
    three, two, one = (0,) * 3, (0,) * 2, (0,)

    def operation(module):
        load, splat_down, splat_along = module.load, module.splat_down, module.splat_along
        load_block, store_block, prefetch = module.load_block, module.store_block, module.prefetch
        add_outer, block_of, repeat_row = module.add_outer, module.block_of, module.repeat_row

        def run(a, b, out, width):
            prefetch(a, 1000, 1000)
            row = load_block(b, 0, 0, width, one, two)
            block = add_outer(repeat_row(row, three), splat_down(a, 2, 1, row, three), row)
            block = add_outer(block, splat_along(b, 3, 0, row, three), row)
            block = block + block_of(load(b, 4, 1, width), three, two)
            store_block(out, 1, 0, block + load_block(a, 2, 0, width, three, two))

        return run

    _compare(operation, dtype, lanes, exact=False)
