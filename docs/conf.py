"""How Sphinx builds the documentation: ``python -m sphinx -W -b html docs docs/_build/html``."""

import sys
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
sys.path[:0] = [str(FOLDER / "_extensions"), str(ROOT)]

project = "softreg_fast"
author = "the authors of softreg_fast"
copyright = author
version = release = import_module("softreg_fast").__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "included_files",
    "pictures",
    "public_names",
    "scikit_learn_tests",
]
exclude_patterns = ["_build", "_generated", "_templates"]
templates_path = ["_templates"]
nitpicky = True
# Quotes are those of the code.
smartquotes = False
toc_object_entries_show_parents = "hide"
suppress_warnings = ["config.cache"]  # the gallery's settings are a dictionary with functions

# `public_names` makes links of those that are public names.
default_role = "literal"
autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

sphinx_gallery_conf = {
    "examples_dirs": str(ROOT / "examples"),
    "gallery_dirs": "gallery",
    "capture_repr": (),
    "download_all_examples": False,
    "min_reported_time": 1_000,
    "remove_config_comments": True,
    "show_memory": False,
    # That page would load scripts from elsewhere.
    "write_computation_times": False,
    "show_signature": False,
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
}

html_theme = "pydata_sphinx_theme"
html_title = f"softreg_fast {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "start": []}
html_theme_options = {
    "logo": {"text": "softreg_fast"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
