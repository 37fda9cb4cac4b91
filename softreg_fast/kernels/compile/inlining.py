"""How functions that other kernels call are compiled: only as parts of those that call them.

By default Numba optimises every function by itself, then again within each of its callers, and
generates machine code for all of them. Here they are translated to LLVM's language and marked to
be inlined; only the entry point that they end up in is optimised and generated, once. That halves
the time to compile, and without calls no arrays have to be counted.

Entry points are optimised without unrolling their loops: those that matter hold as many vectors as
there are registers, and twice as many don't fit.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite.binding import (
    create_pass_builder,
    create_pipeline_tuning_options,
    parse_assembly,
    parse_bitcode,
)
from numba import _dynfunc, types
from numba.core.caching import NullCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompileResult
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typed_passes import NativeLowering

from . import plain
from .disk_cache import DiskCache
from .numba_adapter import has_numbas_lock, target

_OPTIMISATION_LEVEL = 3


class _PartLibrary(JITCodeLibrary):
    """Code that is linked into entry points and never run by itself.

    What it calls is linked there too: linked here, it would be copied once for each caller.
    """

    def finalize(self) -> None:
        """Have the code ready to be linked."""
        self._raise_if_finalized()
        self._final_module.verify()
        self._finalize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _EntryLibrary(JITCodeLibrary):
    """Code that is optimised as a whole, and run."""

    _linking_libraries: list[Any]

    def finalize(self) -> None:
        """Link what is called, directly or by what is called, and make machine code."""
        found = dict.fromkeys(self._linking_libraries)
        waiting = list(found)
        while waiting:
            called = [each for each in waiting.pop()._linking_libraries if each not in found]
            found.update(dict.fromkeys(called))
            waiting += called
        self._linking_libraries = list(found)
        super().finalize()

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


# Numba's passes for what kernels don't have: closures, contexts, array expressions, tuples to
# unroll, and functions that Numba would inline.
_NEEDLESS_PASSES = {
    "InlineClosureLikes",
    "InlineInlinables",
    "InlineOverloads",
    "LiteralPropagationSubPipelinePass",
    "LiteralUnroll",
    "MakeFunctionToJitFunction",
    "NopythonRewrites",
    "WithLifting",
}


def _pipelines(managers: list[Any], lowering: type[NativeLowering]) -> list[Any]:
    """Numba's own pipelines, with another way of lowering."""
    for manager in managers:
        manager.passes = [
            (lowering if each is NativeLowering else each, description)
            for each, description in manager.passes
            if each.__name__ not in _NEEDLESS_PASSES
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


_FLAGS = plain.FLAGS | {"_nrt": False}
PART_OPTIONS = {
    "pipeline_class": PartCompiler,
    "forceinline": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    **_FLAGS,
}


class _PartDispatcher(CPUDispatcher):
    """What is compiled once for integers, not once more for each that is written in a call."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """What Numba types a call with."""
        named = {name: types.unliteral(kind) for name, kind in kws.items()}
        return super().get_call_template(tuple(map(types.unliteral, args)), named)


def _dispatcher(
    function: Callable[..., Any], options: dict[str, Any], kind: type[CPUDispatcher] = CPUDispatcher
) -> Any:
    """What `numba.njit` makes of a function, wherever Numba's switch is by now."""
    options = {"nopython": True, "boundscheck": None, **options}
    pipeline = options.pop("pipeline_class")
    return kind(function, locals={}, targetoptions=options, pipeline_class=pipeline)


def make_part(function: Callable[..., Any]) -> Any:
    """A dispatcher that other kernels call."""
    return _dispatcher(function, PART_OPTIONS, _PartDispatcher)


class _Kept(NullCache):
    """What a dispatcher asks for compiled code, and gives it to: a `DiskCache`."""

    def __init__(self, kept: DiskCache | None, before_compiling: Callable[[], None]) -> None:
        self._kept = kept
        self._before_compiling = before_compiling

    def load_overload(self, sig: object, target_context: Any) -> CompileResult | None:
        """What an earlier process has compiled, or None."""
        if self._kept is not None:
            target_context.refresh()
            found = self._kept.load(
                str(sig),
                target(),
                lambda content: CompileResult._rebuild(target_context, *content),
            )
            if found is not None:
                return found
        self._before_compiling()
        return None

    def save_overload(self, sig: object, cres: CompileResult) -> None:
        """Keep what has been compiled."""
        # Dynamic globals are addresses in this process.
        if self._kept is not None and not cres.library.has_dynamic_globals:
            self._kept.save(str(sig), target(), lambda: _reduced(cres))


def _names_alone(bitcode: bytes) -> bytes:
    """A module that defines the same names, as nothing."""
    module = parse_bitcode(bitcode)
    defined = [
        value.name
        for values in (module.functions, module.global_variables)
        for value in values
        if not value.is_declaration
    ]
    assembly = "\n".join(f'@"{name}" = global i8 0' for name in defined)
    names: bytes = parse_assembly(assembly).as_bitcode()
    return names


def _reduced(compiled: CompileResult) -> tuple[Any, ...]:
    """As Numba reduces it, without what only inspection and inlining elsewhere would need."""
    reduced: tuple[Any, ...] = compiled._replace(type_annotation="")._reduce()
    match reduced:
        case (name, "object", (bytes() as machine_code, bytes() as bitcode)), *others:
            return ((name, "object", (machine_code, _names_alone(bitcode))), *others)
    return reduced


def compile_entry(
    function: Callable[..., Any],
    argument_types: tuple[types.Type, ...],
    kept: DiskCache | None = None,
    before_compiling: Callable[[], None] = lambda: None,
) -> Callable[..., Any]:
    """The function compiled for these types, or read from disk; it never compiles again.

    Parameters
    ----------
    function : callable
    argument_types : tuple
        Of Numba's types.
    kept : DiskCache, default=None
        What is on disk; None where nothing is to be kept.
    before_compiling : callable
        Called if the function is not on disk.
    """
    dispatcher = _dispatcher(function, {"pipeline_class": EntryCompiler, **_FLAGS})
    dispatcher._cache = _Kept(kept, before_compiling)
    dispatcher.compile(argument_types)
    # A closed dispatcher takes arrays of any layout, writable or not, for a parameter of layout
    # "A" instead of compiling again for each.
    dispatcher.disable_compile()
    compiled: Callable[..., Any] = dispatcher
    return compiled


# What is called here, with how many arguments.
_CALLED = (
    (CPUDispatcher, "__init__", 2, ("locals", "targetoptions", "pipeline_class")),
    (CPUDispatcher, "compile", 2, ()),
    (CPUDispatcher, "disable_compile", 1, ()),
    (CompileResult, "_reduce", 1, ()),
    (JITCodeLibrary, "__init__", 3, ()),
    (JITCodeLibrary, "_finalize_dynamic_globals", 1, ()),
    (JITCodeLibrary, "_raise_if_finalized", 1, ()),
    (JITCodeLibrary, "enable_object_caching", 1, ()),
    (PassManager, "finalize", 1, ()),
)
# What Numba calls: its own class, and the one here that takes its place.
_OVERRIDDEN: tuple[tuple[type, type, tuple[str, ...]], ...] = (
    (JITCodeLibrary, _EntryLibrary, ("finalize", "_optimize_final_module")),
    (JITCodeLibrary, _PartLibrary, ("finalize", "_finalize_final_module")),
    (NativeLowering, _EntryLowering, ("run_pass",)),
    (NativeLowering, _PartLowering, ("run_pass",)),
    (Compiler, PartCompiler, ("define_pipelines",)),
    (Compiler, EntryCompiler, ("define_pipelines",)),
    (NullCache, _Kept, ("load_overload", "save_overload")),
    (CPUDispatcher, _PartDispatcher, ("get_call_template",)),
)


def problems() -> Iterator[str]:
    """What is different in the installed Numba from what this module expects, in words."""
    if not has_numbas_lock:
        yield "its compiler lock isn't found"
    for owner, name, n_arguments, named in _CALLED:
        try:
            signature = inspect.signature(getattr(owner, name))
            signature.bind(*[None] * n_arguments, **dict.fromkeys(named))
        except (AttributeError, TypeError, ValueError):
            yield f"{owner.__name__}.{name} is missing or takes other arguments"
    for theirs, ours, names in _OVERRIDDEN:
        for name in names:
            expected, found = (
                list(inspect.signature(getattr(each, name, problems)).parameters)
                for each in (ours, theirs)
            )
            if expected != found:
                yield f"{theirs.__name__}.{name} is missing or takes other arguments"
    context = cpu_target.target_context
    for thing, names in (
        (JITCodeLibrary, ("has_dynamic_globals",)),
        (CompileResult, ("_rebuild", "_replace", "type_annotation")),
        (context, ("insert_user_function", "refresh")),
        (context.codegen(), ("_data_layout", "_tm", "magic_tuple")),
        (_dynfunc, ("make_function",)),
    ):
        for name in names:
            if not hasattr(thing, name):
                yield f"{getattr(thing, '__name__', type(thing).__name__)} has no {name}"
