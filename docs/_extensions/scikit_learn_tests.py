"""The table of scikit-learn's own tests that fail with the classes of softreg_fast.sklearn."""

import json
from pathlib import Path

_ROOT = Path(__file__).parents[2]
DIFFERENCES = _ROOT / "tests" / "data" / "sklearn_differences.json"


def differences_table(differences):
    """Markdown with a row for each test.

    Parameters
    ----------
    differences : list of dict
        With "file", "test" and "reason".
    """
    rows = [f"| `{each['file']}::{each['test']}` | {each['reason']} |" for each in differences]
    return "\n".join(["| test | why |", "|---|---|", *rows, ""])


def _write(app):
    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    differences = json.loads(DIFFERENCES.read_text("utf-8"))
    (folder / "scikit_learn_tests.md").write_text(differences_table(differences), "utf-8")


def setup(app):
    """Have the table written before pages are read."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
