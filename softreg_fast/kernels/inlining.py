"""How functions that other kernels call are compiled: only as parts of those that call them.

By default Numba optimises every function by itself, then again within each of its callers, and
generates machine code for all of them. Here they are translated to LLVM's language and marked to
be inlined; only the entry point that they end up in is optimised and generated, once. That halves
the time to compile, and without calls no arrays have to be counted.
"""

from typing import Any

from numba import _dynfunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _PartLibrary(JITCodeLibrary):
    """Code that is linked into other libraries and never run by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


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


class PartCompiler(Compiler):
    """Numba's compiler for a function that other kernels call."""

    def define_pipelines(self) -> list[Any]:
        """Numba's own pipelines, with another way of lowering."""
        managers: list[Any] = super().define_pipelines()
        for manager in managers:
            manager.passes = [
                (_PartLowering if each is NativeLowering else each, description)
                for each, description in manager.passes
            ]
            manager._finalized = False
            manager.finalize()
        return managers


PART_OPTIONS = {
    "pipeline_class": PartCompiler,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
