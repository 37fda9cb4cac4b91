"""Code that Markdown files show, and what it is said to print."""

import contextlib
import io
import re
from typing import NamedTuple

_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<output>.*?)^```$)?", re.DOTALL | re.M
)


class Block(NamedTuple):
    """Lines of Python, and the text block that follows them at once: what they print."""

    line: int
    code: str
    output: str | None


def python_blocks(text):
    """The blocks of Python in Markdown, in order."""
    return [
        Block(text.count("\n", 0, found.start("code")), found["code"], found["output"])
        for found in _BLOCK.finditer(text)
    ]


def shell_blocks(text):
    """The blocks of shell commands in Markdown, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.M)


def run(block, name, names):
    """Run a block by names that others may have left, and give what it prints."""
    printed = io.StringIO()
    # Tracebacks have the lines of the file.
    code = compile("\n" * block.line + block.code, str(name), "exec")
    with contextlib.redirect_stdout(printed):
        exec(code, names)
    return printed.getvalue()
