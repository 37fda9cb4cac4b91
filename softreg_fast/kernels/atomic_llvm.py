"""Operations that threads use to wait for each other, as LLVM instructions; see `atomic.py`."""

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

_INT64 = ir.IntType(64)
# Windows has none; there, waiting threads only pause.
_CAN_YIELD = llvmlite.binding.address_of_symbol("sched_yield") is not None


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
