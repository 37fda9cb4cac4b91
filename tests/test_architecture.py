"""Imports go downwards only: between the rooms of the package, and without a cycle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import softreg_fast

PACKAGE = Path(softreg_fast.__file__).parent
# From the top downwards. A room may import what is below it, and itself.
ROOMS = [
    "cli",
    "estimators",
    "inference",
    "solvers",
    "objective",
    "runtime",
    "data",
    "kernels",
]
FLOORS_OF_KERNELS = ["", "threads", "simd", "compile"]
# The package's face hands names on; definitions are below everything.
FACE, DEFINITIONS = {"__init__", "__main__"}, "_typing"


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
    assert rooms == {*ROOMS, *FACE, DEFINITIONS, "reference"}
    assert all(not GRAPH[module] for module in GRAPH if _room(module) == DEFINITIONS)


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
        "__init__", "estimators.classifier", "estimators.classifier_cv", "estimators.regressor",
        "kernels.loss", "objective.functions", "objective.loss", "reference.model",
    }  # fmt: skip
