"""Links in Markdown files that pages include lead to pages instead of files."""

import re

# Files of the repository, and the pages that include them or say the same.
PAGES = {
    "ARCHITECTURE.md": "/project/architecture.md",
    "CHANGELOG.md": "/project/changelog.md",
    "CONTRIBUTING.md": "/project/contributing.md",
    "bench/README.md": "/guide/benchmarks.md",
}
_LINK = re.compile(r"\]\(([^)#:\s]+\.md)\)")


def _lead_to_pages(app, path, parent, content):
    if path.name.endswith(".md"):
        content[0] = _LINK.sub(
            lambda link: f"]({PAGES[link[1]]})" if link[1] in PAGES else link[0], content[0]
        )


def setup(app):
    """Register the handler."""
    app.connect("include-read", _lead_to_pages)
    return {"parallel_read_safe": True}
