"""How functions that other kernels call are compiled: only as parts of those that call them.

By default Numba optimises every function by itself, then again within each of its callers, and
generates machine code for all of them. Here they are translated to LLVM's language and marked to
be inlined; only the entry point that they end up in is optimised and generated, once. That halves
the time to compile, and without calls no arrays have to be counted.

Entry points are optimised without unrolling their loops: those that matter hold as many vectors as
there are registers, and twice as many don't fit.
"""

from typing import Any

from llvmlite.binding import create_pass_builder, create_pipeline_tuning_options
from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering

_OPTIMISATION_LEVEL = 3


class _PartLibrary(JITCodeLibrary):
    """Code that is linked into other libraries and never run by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _EntryLibrary(JITCodeLibrary):
    """Code that is optimised as a whole, and run."""

    def _optimize_final_module(self) -> None:
        options = create_pipeline_tuning_options(_OPTIMISATION_LEVEL)
        options.loop_vectorization = True
        options.loop_unrolling = False
        builder = create_pass_builder(self._codegen._tm, options)
        builder.getModulePassManager().run(self._final_module, builder)


@register_pass(mutates_CFG=True, analysis_only=False)
class _EntryLowering(NativeLowering):
    _name = "entry_lowering"

    def run_pass(self, state: Any) -> bool:
        library = _EntryLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        library.enable_object_caching()
        state.library = library
        changed: bool = super().run_pass(state)
        return changed


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        name = state.func_id.func_qualname
        library = _PartLibrary(state.targetctx.codegen(), name)
        state.library = library
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state.cr
        # What callers look the code up by; calling it would be an error.
        nowhere = 0
        key = _dynfunc.make_function(
            lowered.fndesc.lookup_module(), name, "", nowhere, lowered.env, (library,)
        )
        state.targetctx.insert_user_function(key, lowered.fndesc, [library])
        state["cr"] = lowered._replace(cfunc=key)
        return True


def _pipelines(managers: list[Any], lowering: type[NativeLowering]) -> list[Any]:
    """Numba's own pipelines, with another way of lowering."""
    for manager in managers:
        manager.passes = [
            (lowering if each is NativeLowering else each, description)
            for each, description in manager.passes
        ]
        manager._finalized = False
        manager.finalize()
    return managers


class PartCompiler(Compiler):
    """Numba's compiler for a function that other kernels call."""

    def define_pipelines(self) -> list[Any]:
        """How to compile."""
        return _pipelines(super().define_pipelines(), _PartLowering)


class EntryCompiler(Compiler):
    """Numba's compiler for a function that Python calls."""

    def define_pipelines(self) -> list[Any]:
        """How to compile."""
        return _pipelines(super().define_pipelines(), _EntryLowering)


ENTRY_OPTIONS = {"pipeline_class": EntryCompiler}
PART_OPTIONS = {
    "pipeline_class": PartCompiler,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
