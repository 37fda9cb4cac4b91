"""Public names in backticks are links to the API reference."""

from importlib import import_module

from docutils import nodes
from sphinx.addnodes import pending_xref

MODULES = (
    "softreg_fast",
    "softreg_fast.sklearn",
    "softreg_fast.blocks",
    "softreg_fast.dask",
    "softreg_fast.plotting",
    "softreg_fast.persistence",
    "softreg_fast.export",
    "softreg_fast.onnx",
)
# What methods and functions return, and where it is defined.
RESULTS = {
    "FitStatistics": "softreg_fast.inference.fit_statistics",
    "LikelihoodRatioTest": "softreg_fast.inference.fit_statistics",
    "MarginalEffects": "softreg_fast.inference.marginal_effects",
    "OddsRatios": "softreg_fast.inference.summary",
    "ProbabilityIntervals": "softreg_fast.inference.probability_intervals",
    "SoftmaxPath": "softreg_fast.estimators.path",
    "Summary": "softreg_fast.inference.summary",
}
# scikit-learn's classes keep their names: here a link would lead to others.
_NOT_LINKED = ("LogisticRegression", "LogisticRegressionCV")


def _find_public_names():
    """Full names by the names that documentation uses."""
    found = {}
    for module in reversed(MODULES):
        for name in import_module(module).__all__:
            found[name] = f"{module}.{name}"
    found |= {name: f"{module}.{name}" for name, module in RESULTS.items()}
    return {name: full for name, full in found.items() if name not in _NOT_LINKED}


PUBLIC_NAMES = _find_public_names()


def _full_name(text, module=None):
    """What the API reference calls a name, or None."""
    if text in PUBLIC_NAMES.values():
        return text
    start, _, name = text.rpartition(".")
    if start in MODULES and name in import_module(start).__all__:
        return text
    if module and text in getattr(import_module(module), "__all__", ()):
        return f"{module}.{text}"
    return PUBLIC_NAMES.get(text)


def _link_literals(app, doctree):
    """Make links of public names that stand in backticks, in pages and docstrings alike."""
    docname = app.env.docname
    if docname.startswith("project/"):  # they tell of the code, not of how to use it
        return
    for literal in list(doctree.findall(nodes.literal)):
        full = _full_name(literal.astext())
        is_part_of_link = isinstance(literal.parent, nodes.reference | nodes.title | pending_xref)
        if full is None or is_part_of_link or docname.endswith(f"/{full}"):
            continue
        reference = pending_xref(
            literal.rawsource, refdomain="py", reftype="obj", reftarget=full, refexplicit=True
        )
        reference["refdoc"] = docname
        literal.replace_self(reference)
        reference += literal


def _resolve(app, env, node, contnode):
    """Names without a module, of sections "See Also" and the like."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    full = _full_name(target, node.get("py:module"))
    if target.startswith("softreg_fast") and full in (None, target):
        return None  # a name that the reference lacks: a warning
    if full is None:
        # scikit-learn's classes and such: no other site is asked where they are documented.
        return contnode
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", full, node, contnode)


def _skip_inherited(app, what, name, member, skip, options):
    """Leave out what scikit-learn's classes bring: its documentation has it."""
    owner = getattr(member, "fget", member)
    module = getattr(owner, "__module__", None) or ""
    return True if not module.startswith("softreg_fast") else skip


def _hide_constructor(app, what, name, member, options, signature, returns):
    """Results are made by methods and functions, and not by users."""
    module, _, short = name.rpartition(".")
    return ("", None) if what == "class" and RESULTS.get(short) == module else None


def setup(app):
    """Register the handlers."""
    app.connect("doctree-read", _link_literals)
    app.connect("missing-reference", _resolve)
    app.connect("autodoc-skip-member", _skip_inherited)
    app.connect("autodoc-process-signature", _hide_constructor)
    return {"parallel_read_safe": True}
