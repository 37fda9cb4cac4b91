"""Operations that threads use to wait for each other, as LLVM instructions; see `atomic.py`."""

import time

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)


def _is_there(name):
    return llvmlite.binding.address_of_symbol(name) is not None


# Windows has none; there, waiting threads only pause.
_CAN_YIELD = _is_there("sched_yield")
# Of POSIX, whose seconds and nanoseconds are as long as addresses, and of Windows.
_HAS_POSIX_CLOCK = (
    _is_there("clock_gettime") and hasattr(time, "CLOCK_MONOTONIC") and types.intp.bitwidth == 64
)
_HAS_TICKS = _is_there("GetTickCount64")


def _address(context, builder, array_type, array, index, index_type):
    view = context.make_array(array_type)(context, builder, array)
    position = context.cast(builder, index, index_type, types.intp)
    return cgutils.get_item_pointer(
        context, builder, array_type, view, [position], wraparound=False
    )


@intrinsic
def fetch_add(typingctx, array, index, value):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1], signature.args[1]
        )
        addend = context.cast(builder, arguments[2], signature.args[2], types.int64)
        return builder.atomic_rmw("add", address, addend, "seq_cst")

    return types.int64(array, index, value), codegen


@intrinsic
def load_shared(typingctx, array, index):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1], signature.args[1]
        )
        return builder.load_atomic(address, ordering="acquire", align=8)

    return types.int64(array, index), codegen


@intrinsic
def store_shared(typingctx, array, index, value):
    def codegen(context, builder, signature, arguments):
        address = _address(
            context, builder, signature.args[0], arguments[0], arguments[1], signature.args[1]
        )
        converted = context.cast(builder, arguments[2], signature.args[2], types.int64)
        builder.store_atomic(converted, address, ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def pause(typingctx):
    is_x86 = cpu_target.target_context.codegen().magic_tuple()[0].startswith(("x86_64", "i686"))

    def codegen(context, builder, signature, arguments):
        if is_x86:
            pause_type = ir.FunctionType(ir.VoidType(), [])
            builder.call(
                cgutils.get_or_insert_function(builder.module, pause_type, "llvm.x86.sse2.pause"),
                [],
            )
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def let_others_run(typingctx):
    def codegen(context, builder, signature, arguments):
        if _CAN_YIELD:
            yield_type = ir.FunctionType(ir.IntType(32), [])
            function = cgutils.get_or_insert_function(builder.module, yield_type, "sched_yield")
            builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), codegen


def _call(builder, name, return_type, arguments):
    function_type = ir.FunctionType(return_type, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _read_posix_clock(builder):
    moment = cgutils.alloca_once(builder, ir.ArrayType(_INT64, 2))
    clock = ir.Constant(_INT32, time.CLOCK_MONOTONIC)
    _call(builder, "clock_gettime", _INT32, [clock, moment])
    seconds, nanoseconds = (
        builder.load(cgutils.gep_inbounds(builder, moment, 0, place)) for place in range(2)
    )
    return builder.add(
        builder.mul(seconds, ir.Constant(_INT64, 1000)),
        builder.sdiv(nanoseconds, ir.Constant(_INT64, 1_000_000)),
    )


@intrinsic
def read_clock(typingctx):
    def codegen(context, builder, signature, arguments):
        if _HAS_POSIX_CLOCK:
            return _read_posix_clock(builder)
        if _HAS_TICKS:
            return _call(builder, "GetTickCount64", _INT64, [])
        return ir.Constant(_INT64, 0)

    return types.int64(), codegen
