"""Imports go downwards only: between the rooms of the package, and without a cycle."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import softreg_fast

PACKAGE = Path(softreg_fast.__file__).parent
# From the top downwards. A room may import what is below it, and itself.
ROOMS = [
    "cli",
    "onnx",
    "sklearn",
    "dask",
    "persistence",
    "export",
    "plotting",
    "estimators",
    "inference",
    "solvers",
    "objective",
    "runtime",
    "blocks",
    "data",
    "kernels",
]
FLOORS_OF_KERNELS = ["", "threads", "simd", "compile"]
# The package's face hands names on; what all rooms use is below everything.
FACE, DEFINITIONS = {"__init__", "__main__"}, {"_extras", "_sklearn", "_typing", "_warning"}


def _modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts), path


def _is_for_types(node, parents):
    while node in parents:
        node = parents[node]
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return True
    return False


def _imports(module, path, known):
    """Modules of the package that a module imports, wherever in its text."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or _is_for_types(node, parents):
            continue
        if node.level:
            base = package[: len(package) - node.level + 1]
        elif (node.module or "").split(".")[0] == "softreg_fast":
            base = []
        else:
            continue
        named = (node.module or "").split(".")
        target = [*base, *(named if node.level else named[1:])]
        for alias in node.names:
            for parts in (
                [*target, alias.name],
                [*target, alias.name, "__init__"],
                target,
                [*target, "__init__"],
            ):
                name = ".".join(part for part in parts if part)
                if name in known:
                    yield name
                    break


def _graph():
    modules = dict(_modules())
    return {name: set(_imports(name, path, modules)) for name, path in modules.items()}


GRAPH = _graph()


def _room(module):
    return module.partition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_imports_what_is_above_it(room):
    above = {
        (module, imported)
        for module, found in GRAPH.items()
        if _room(module) == room
        for imported in found
        if _room(imported) in ROOMS and ROOMS.index(_room(imported)) < ROOMS.index(room)
    }
    assert not above


def test_kernels_are_built_upon_each_other_downwards():
    def floor(module):
        parts = module.split(".")
        return FLOORS_OF_KERNELS.index(parts[1] if len(parts) > 2 else "")

    above = {
        (module, imported)
        for module, found in GRAPH.items()
        if _room(module) == "kernels"
        for imported in found
        if _room(imported) == "kernels" and floor(imported) < floor(module)
    }
    assert not above


def test_every_module_is_in_a_room():
    rooms = {_room(module) for module in GRAPH}
    assert rooms == {*ROOMS, *FACE, *DEFINITIONS, "reference"}
    assert all(not GRAPH[module] for module in GRAPH if _room(module) in DEFINITIONS)


def test_modules_that_docstrings_and_comments_name_are_there():
    """Files like `kernels/tile.py`; what is in modules or folders, like `tile.padded_rows`."""
    texts = {module: path.read_text(encoding="utf-8") for module, path in _modules()}
    places = {}
    for module in texts:
        for name in module.split(".")[-2:]:
            places.setdefault(name, set()).add(module)
    others = {"np", "numba", "sklearn", "threading", "threadpoolctl"}
    n_found = 0
    for module, text in texts.items():
        named = [(name, "") for name in re.findall(r"`(?:\w+/)*(\w+)\.py`", text)]
        named += re.findall(r"`([a-z_]+)\.(?!py`)(\w+)`", text)
        for name, thing in named:
            n_found += 1
            found = any(
                thing == place.rpartition(".")[2] or re.search(rf"\b{thing}\b", texts[place])
                for place in places.get(name, ())
            )
            assert found or name in others, (module, name, thing)
    assert n_found > 30


def test_no_module_imports_itself_by_others():
    order = list(TopologicalSorter(GRAPH).static_order())
    assert len(order) > 80


def test_nothing_but_the_demonstration_imports_the_reference():
    importing = {
        module
        for module, found in GRAPH.items()
        if _room(module) != "reference" and any(_room(each) == "reference" for each in found)
    }
    assert {_room(module) for module in importing} == {"cli"}


def test_arrows_that_are_drawn_are_seen():
    """The test would fail: an import within a function, and one of a module by its package."""
    assert "estimators.export" in GRAPH["estimators.base"]
    assert "kernels.gradient" in GRAPH["objective.dense"]


def test_few_modules_name_an_activation():
    """What differs between activations is asked of `objective.loss` and `kernels.loss`."""
    naming = {
        module
        for module, path in _modules()
        if any(name in path.read_text(encoding="utf-8") for name in ("sigmoid", "identity"))
    }
    assert naming == {
        "__init__", "dask.classifier", "estimators.classifier", "estimators.classifier_cv",
        "estimators.regressor",
        "kernels.loss", "objective.functions", "objective.loss", "reference.model",
    }  # fmt: skip


# What the documentation of Numba and llvmlite shows.
PUBLIC_MODULES = {"numba", "numba.extending", "llvmlite", "llvmlite.binding", "llvmlite.ir"}
PUBLIC_NAMES = {
    "numba": {"__version__", "config", "extending", "from_dtype", "njit", "types"},
    "llvmlite": {"__version__", "binding", "ir"},
}
PRIVATE_NAMES = {
    "_cache", "_dynfunc", "_finalize_final_module", "_nrt", "_optimize_final_module", "_rebuild",
    "_reduce", "_tm", "cgutils", "cpu_target", "global_compiler_lock", "has_dynamic_globals",
    "magic_tuple", "no_cfunc_wrapper", "no_compile", "no_cpython_wrapper", "pipeline_class",
    "target_context", "targetctx", "targetoptions", "typing_context",
}  # fmt: skip


def _private_names_of_numba(tree):
    """What a module uses of Numba and llvmlite that is not public."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (
                alias.name
                for alias in node.names
                if alias.name.split(".")[0] in PUBLIC_NAMES and alias.name not in PUBLIC_MODULES
            )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            module = node.module or ""
            if module.split(".")[0] in PUBLIC_NAMES:
                known = PUBLIC_NAMES.get(module)
                for alias in node.names:
                    if module not in PUBLIC_MODULES or (known and alias.name not in known):
                        yield f"{module}.{alias.name}"
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if node.attr in PRIVATE_NAMES or node.attr not in PUBLIC_NAMES.get(owner, {node.attr}):
                yield node.attr
        elif isinstance(node, ast.Constant) and node.value in PRIVATE_NAMES:
            yield node.value


def _modules_that_use(find):
    return {
        module
        for module, path in _modules()
        if any(find(ast.parse(path.read_text(encoding="utf-8"))))
    }


def test_private_names_of_numba_stand_in_the_adapter_and_what_it_guards():
    assert _modules_that_use(_private_names_of_numba) == {
        "kernels.compile.inlining",
        "kernels.compile.numba_adapter",
    }


def test_what_changes_numbas_compiler_is_imported_by_what_may_do_without():
    importing = {module for module, found in GRAPH.items() if "kernels.compile.inlining" in found}
    assert importing == {"kernels.compile.toolchain"}


@pytest.mark.parametrize(
    "text",
    ["from numba.core import cgutils", "import numba.core.ir", "from numba import _dynfunc",
     "import numba; numba.core", "options = {'_nrt': False}", "library.codegen._tm",
     "def f():\n    from numba.np import arrayobj"],
)  # fmt: skip
def test_private_names_of_numba_are_seen(text):
    assert list(_private_names_of_numba(ast.parse(text)))


def _private_names_of_sklearn(tree):
    """What a module uses of scikit-learn that is not public."""
    known = {"_kwargs", "_score_func", "_sign", "_response_method", "_skl_callbacks"}
    known |= {"_metadata_request"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute) and node.attr in known:
            yield node.attr
            continue
        elif isinstance(node, ast.Constant) and node.value in known:
            yield node.value
            continue
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "sklearn" and any(part.startswith("_") for part in parts[1:]):
                yield name


def test_private_names_of_sklearn_stand_in_one_place():
    assert _modules_that_use(_private_names_of_sklearn) == {"_sklearn"}


@pytest.mark.parametrize(
    "text",
    ["from sklearn.utils import _safe_indexing", "import sklearn.utils._indexing",
     "def f():\n    from sklearn.utils._indexing import resample", "getattr(scorer, '_kwargs')",
     "scorer._score_func"],
)  # fmt: skip
def test_private_names_of_sklearn_are_seen(text):
    assert list(_private_names_of_sklearn(ast.parse(text)))
