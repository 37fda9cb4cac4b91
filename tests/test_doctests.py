"""Examples in docstrings give what they show."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "softreg_fast").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.full
@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module(name, tmp_path, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.chdir(tmp_path)
    n_failed, n_tried = doctest.testmod(import_module(name))
    pyplot.close("all")
    assert n_failed == 0
    assert n_tried > 0
