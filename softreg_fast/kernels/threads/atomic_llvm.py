"""Operations that threads use to wait for each other, as LLVM instructions; see `atomic.py`."""

import time

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from ..compile.llvm_code import call, element_address, is_there

_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)


@intrinsic
def fetch_add(typingctx, array, index, value):
    def codegen(context, builder, signature, arguments):
        address = element_address(
            context, builder, signature.args[0], arguments[0], arguments[1:2], signature.args[1:2]
        )
        addend = context.cast(builder, arguments[2], signature.args[2], types.int64)
        return builder.atomic_rmw("add", address, addend, "seq_cst")

    return types.int64(array, index, value), codegen


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


@intrinsic
def let_others_run(typingctx):
    def codegen(context, builder, signature, arguments):
        if is_there("sched_yield"):  # Windows has none; there, waiting threads only pause
            call(builder, "sched_yield", _INT32, [])
        return context.get_dummy_value()

    return types.void(), codegen


def _read_posix_clock(builder):
    with builder.goto_entry_block():
        moment = builder.alloca(ir.ArrayType(_INT64, 2))
    clock = ir.Constant(_INT32, time.CLOCK_MONOTONIC)
    call(builder, "clock_gettime", _INT32, [clock, moment])
    seconds, nanoseconds = (
        builder.load(builder.gep(moment, [_INT32(0), _INT32(place)], inbounds=True))
        for place in range(2)
    )
    return builder.add(
        builder.mul(seconds, ir.Constant(_INT64, 1000)),
        builder.sdiv(nanoseconds, ir.Constant(_INT64, 1_000_000)),
    )


@intrinsic
def read_clock(typingctx):
    def codegen(context, builder, signature, arguments):
        # Of POSIX, whose seconds and nanoseconds are as long as addresses, and of Windows.
        is_long = types.intp.bitwidth == 64
        if is_there("clock_gettime") and hasattr(time, "CLOCK_MONOTONIC") and is_long:
            return _read_posix_clock(builder)
        if is_there("GetTickCount64"):
            return call(builder, "GetTickCount64", _INT64, [])
        return ir.Constant(_INT64, 0)

    return types.int64(), codegen
