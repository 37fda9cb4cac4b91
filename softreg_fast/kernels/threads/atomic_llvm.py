"""Operations that threads use to share work, as LLVM instructions; see `atomic.py`."""

import time

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import call, element_address, is_there
from . import N_CPU_WORDS

_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)


@intrinsic
def compare_exchange(typingctx, array, index, expected, value):
    def codegen(context, builder, signature, arguments):
        address = element_address(
            context, builder, signature.args[0], arguments[0], arguments[1:2], signature.args[1:2]
        )
        before, after = (
            context.cast(builder, argument, kind, types.int64)
            for argument, kind in zip(arguments[2:], signature.args[2:], strict=True)
        )
        found = builder.cmpxchg(address, before, after, "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(array, index, expected, value), codegen


@intrinsic
def load_shared(typingctx, array, index):
    def codegen(context, builder, signature, arguments):
        address = element_address(
            context, builder, signature.args[0], arguments[0], arguments[1:2], signature.args[1:2]
        )
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(array, index), codegen


@intrinsic
def store_shared(typingctx, array, index, value):
    def codegen(context, builder, signature, arguments):
        address = element_address(
            context, builder, signature.args[0], arguments[0], arguments[1:2], signature.args[1:2]
        )
        converted = context.cast(builder, arguments[2], signature.args[2], types.int64)
        builder.store_atomic(converted, address, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def pause(typingctx):
    is_x86 = llvmlite.binding.get_process_triple().startswith(("x86_64", "i686"))

    def codegen(context, builder, signature, arguments):
        if is_x86:
            call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), codegen


_Moment = ir.ArrayType(_INT64, 2)  # seconds and nanoseconds, as POSIX has them


def _has_posix_times():
    """Whether seconds and nanoseconds are as long as addresses, as `_Moment` has them."""
    return types.intp.bitwidth == 64 and hasattr(time, "CLOCK_MONOTONIC")


def _allocate(builder, kind):
    with builder.goto_entry_block():
        return builder.alloca(kind)


@intrinsic
def current_cpu(typingctx):
    def codegen(context, builder, signature, arguments):
        if is_there("sched_getcpu"):
            return builder.sext(call(builder, "sched_getcpu", _INT32, []), _INT64)
        return ir.Constant(_INT64, -1)

    return types.int64(), codegen


@intrinsic
def leave_cpu(typingctx, array, start):
    def codegen(context, builder, signature, arguments):
        if not (is_there("sched_getcpu") and is_there("sched_setaffinity")):
            return context.get_dummy_value()
        first = element_address(
            context, builder, signature.args[0], arguments[0], arguments[1:2], signature.args[1:2]
        )
        size = ir.ArrayType(_INT64, N_CPU_WORDS)
        cpus = _allocate(builder, size)
        builder.store(builder.load(builder.bitcast(first, size.as_pointer())), cpus)
        cpu = builder.zext(call(builder, "sched_getcpu", _INT32, []), _INT64)
        word = builder.urem(builder.lshr(cpu, _INT64(6)), _INT64(N_CPU_WORDS))
        address = builder.gep(cpus, [_INT64(0), word], inbounds=True)
        bit = builder.shl(_INT64(1), builder.and_(cpu, _INT64(63)))
        builder.store(builder.and_(builder.load(address), builder.not_(bit)), address)
        n_bytes = _INT64(8 * N_CPU_WORDS)
        call(builder, "sched_setaffinity", _INT32, [_INT32(0), n_bytes, cpus])
        return context.get_dummy_value()

    return types.void(array, start), codegen


@intrinsic
def sleep_briefly(typingctx):
    def codegen(context, builder, signature, arguments):
        if is_there("nanosleep") and _has_posix_times():
            moment = _allocate(builder, _Moment)
            builder.store(ir.Constant(_Moment, [_INT64(0), _INT64(100_000)]), moment)
            call(builder, "nanosleep", _INT32, [moment, ir.Constant(moment.type, None)])
        elif is_there("Sleep"):
            call(builder, "Sleep", ir.VoidType(), [_INT32(1)])
        return context.get_dummy_value()

    return types.void(), codegen


def _read_posix_clock(builder):
    moment = _allocate(builder, _Moment)
    clock = ir.Constant(_INT32, time.CLOCK_MONOTONIC)
    call(builder, "clock_gettime", _INT32, [clock, moment])
    seconds, nanoseconds = (
        builder.load(builder.gep(moment, [_INT32(0), _INT32(place)], inbounds=True))
        for place in range(2)
    )
    return builder.add(builder.mul(seconds, ir.Constant(_INT64, 1_000_000_000)), nanoseconds)


def _read_windows_clock(builder):
    ticks = _allocate(builder, _INT64)
    call(builder, "QueryPerformanceCounter", _INT32, [ticks])
    return builder.load(ticks)


@intrinsic
def read_clock(typingctx):
    def codegen(context, builder, signature, arguments):
        if is_there("clock_gettime") and _has_posix_times():
            return _read_posix_clock(builder)
        if is_there("QueryPerformanceCounter"):
            return _read_windows_clock(builder)
        return ir.Constant(_INT64, 0)

    return types.int64(), codegen
