"""The documentation: its pages, the code they show, and the site that is made of them."""

import ast
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import sklearn
from documents import python_blocks, run, shell_blocks
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier

import softreg_fast

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
# What the build makes, in folders that git doesn't know.
_MADE = ("_build", "_generated", "gallery", "generated")
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if not set(path.relative_to(DOCS).parts) & set(_MADE)
)
PAGES_WITH_CODE = [name for name in PAGES if python_blocks((DOCS / name).read_text("utf-8"))]
# Modules whose public names the reference has.
MODULES = ["", ".sklearn", ".blocks", ".dask", ".plotting", ".persistence", ".export", ".onnx"]
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def _extension(name):
    """A module of the build."""
    spec = spec_from_file_location(name, DOCS / "_extensions" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _names_in(path):
    """Where a module takes its names from, without importing it."""
    tree = ast.parse(path.read_text("utf-8"))
    values = [
        each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and each.targets[0].id == "__all__"
    ]
    return ast.literal_eval(values[0])


def _targets_of(text):
    """Where links, images and included files of a page lead."""
    targets = _LINK.findall(text)
    targets += re.findall(r"^:link: (\S+)$", text, re.M)
    targets += re.findall(r"\{(?:include|image)\} (\S+)$", text, re.M)
    for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
        entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
        targets += [re.sub(r".*<(.*)>", r"\1", line) for line in entries]
    return targets


@pytest.mark.parametrize("name", PAGES)
def test_links_of_a_page_lead_somewhere(name):
    page = DOCS / name
    pictures = set(_extension("pictures").PICTURES)
    examples = {path.stem for path in (ROOT / "examples").glob("plot_*.py")} | {"index"}
    for target in _targets_of(page.read_text("utf-8")):
        assert not urlsplit(target).scheme, f"{target}: pages must work without a network"
        path = (page.parent / target.partition("#")[0]).resolve()
        if path.parent == DOCS / "gallery":
            assert path.name in examples, target
        elif path.parent == DOCS / "_generated":
            assert path.stem in pictures | {"scikit_learn_tests"}, target
        else:
            candidates = [path, path.with_suffix(".md"), path.with_suffix(".rst")]
            assert any(each.is_file() for each in candidates), target


def test_each_page_is_in_a_table_of_contents():
    listed = {"index"}
    for name in PAGES:
        text = (DOCS / name).read_text("utf-8")
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            for entry in tree.split():
                target = DOCS / Path(name).parent / entry.strip("<>")
                listed.add(target.resolve().relative_to(DOCS).as_posix())
    assert {name.removesuffix(".md") for name in PAGES} <= listed


@pytest.mark.parametrize("module", MODULES)
def test_the_reference_has_each_public_name(module):
    folder = Path(softreg_fast.__file__).parent
    path = folder / module.removeprefix(".") / "__init__.py"
    names = _names_in(path if path.is_file() else folder / f"{module.removeprefix('.')}.py")
    reference = (DOCS / "api" / "index.rst").read_text("utf-8")
    parts = reference.split(f".. currentmodule:: softreg_fast{module}\n", 1)[1]
    section = re.split("currentmodule::|.. toctree::\n   :hidden:", parts)[0]
    listed = re.findall(r"^   (\w+)$", section, re.M)
    assert sorted(names) == sorted(listed)


def test_the_table_has_each_test_of_scikit_learn_that_fails():
    extension = _extension("scikit_learn_tests")
    differences = json.loads(extension.DIFFERENCES.read_text("utf-8"))
    rows = extension.differences_table(differences).splitlines()[2:]
    assert len(rows) == len(differences) > 0
    for row, each in zip(rows, differences, strict=True):
        assert each["test"] in row
        assert each["reason"] in row
        assert row.count("|") == 3  # columns


@pytest.mark.parametrize("estimator", [LogisticRegression, LogisticRegressionCV, SGDClassifier])
def test_the_page_for_scikit_learn_has_each_parameter(estimator):
    page = (DOCS / "guide" / "scikit_learn.md").read_text("utf-8")
    section = page.split(f"\n### {estimator.__name__}\n")[1].partition("\n#")[0]
    rows = re.findall(r"^\| (.*?) \|", section, re.M)
    listed = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert set(inspect.signature(estimator).parameters) <= listed


def test_benchmarks_are_included_and_not_copied():
    page = (DOCS / "guide" / "benchmarks.md").read_text("utf-8")
    figures = (ROOT / "bench" / "README.md").read_text("utf-8")
    names = re.findall(
        r"^:start-after: <!-- begin (\S+) -->\n:end-before: <!-- end \1 -->", page, re.M
    )
    assert len(names) > 5
    for name in names:
        assert figures.count(f"<!-- begin {name} -->") == 1
        assert figures.count(f"<!-- end {name} -->") == 1
    assert not re.search(r"^\|", page, re.M)


def _assert_same_output(printed, expected):
    """The same text and numbers, up to what rounding does to numbers on other CPUs."""
    assert _NUMBER.sub("#", printed).split() == _NUMBER.sub("#", expected).split()
    numbers = [[float(each) for each in _NUMBER.findall(text)] for text in (printed, expected)]
    np.testing.assert_allclose(*numbers, rtol=1e-3)


def _runs_here(name):
    """Temperatures came with scikit-learn 1.8."""
    return name != "guide/calibration.md" or tuple(map(int, sklearn.__version__.split(".")[:2])) > (
        1,
        7,
    )


@pytest.mark.full
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.runs_if(_runs_here(name))) for name in PAGES_WITH_CODE],
)
def test_code_of_a_page_runs_and_prints_what_the_page_says(name, tmp_path, monkeypatch):
    from matplotlib import pyplot

    pyplot.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in python_blocks((DOCS / name).read_text("utf-8")):
        _assert_same_output(run(block, DOCS / name, names), block.output or "")
    pyplot.close("all")


@pytest.mark.full
def test_commands_of_the_command_line_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "guide" / "command_line.md").read_text("utf-8")
    for block in python_blocks(page):  # which make the tables
        run(block, "command_line.md", {})
    commands = shell_blocks(page)
    assert commands
    # The environment's own command is found first.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        for file in re.findall(r"(?:-o|--plot|--report) (\S+)", command):
            assert (tmp_path / file).stat().st_size > 0


class _Page(HTMLParser):
    """What a page of the site loads, where its links lead, and what links can lead to."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.links, self.places = [], [], set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.places.update(found[key] for key in ("id", "name") if found.get(key))
        if found.get("src"):
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "preload", "icon"):
            self.loaded.append(found["href"])
        if tag in ("a", "link") and found.get("href"):
            self.links.append(found["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, made of a copy of what it is made of; warnings are errors."""
    copy = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns(*_MADE)
    for folder in ["docs", "examples", "bench"]:
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    (copy / "tests" / "data").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "data" / "sklearn_differences.json", copy / "tests" / "data")
    for file in ["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md"]:
        shutil.copy(ROOT / file, copy)
    # Nothing that is loaded from a network while the site is built comes through.
    nowhere = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")}
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html"]
    done = subprocess.run(
        [*command, str(copy / "docs"), str(copy / "site")],
        env=os.environ | nowhere | {"PYTHONPATH": str(ROOT)},
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {
        path.relative_to(copy / "site").as_posix(): _Page(path)
        for path in (copy / "site").rglob("*.html")
        if path.parent.name != "_static"  # templates of the theme
    }, copy / "site"


@pytest.mark.full
def test_the_site_has_all_pages_and_loads_nothing_from_elsewhere(site):
    pages, folder = site
    assert {name.replace(".md", ".html") for name in PAGES} <= set(pages)
    for module in MODULES:
        for name in import_module(f"softreg_fast{module}").__all__:
            assert f"api/generated/softreg_fast{module}.{name}.html" in pages
    for name, page in pages.items():
        for source in page.loaded:
            assert not urlsplit(source).netloc, f"{name} loads {source}"
            if not source.startswith("data:"):
                path = (folder / name).parent / unquote(urlsplit(source).path)
                assert path.is_file(), f"{name} lacks {source}"


@pytest.mark.full
def test_links_within_the_site_lead_somewhere(site):
    pages, folder = site
    for name, page in pages.items():
        for link in page.links:
            found = urlsplit(link)
            if found.scheme or found.netloc:
                continue
            path = (folder / name).parent / unquote(found.path) if found.path else folder / name
            assert path.is_file(), f"{name} leads to {link}"
            if found.fragment and path.suffix == ".html":
                target = path.resolve().relative_to(folder.resolve()).as_posix()
                assert unquote(found.fragment) in pages[target].places, f"{name}: {link}"
