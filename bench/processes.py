"""Functions of the harness called in fresh processes, with any checkout of the package."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# `bench` is this harness, `softreg_fast` that of the folder, even if the folder has a `bench`.
_CHILD = """
import importlib, json, sys
request = json.loads(sys.argv[1])
sys.path.insert(0, request["harness"])
import bench
sys.path[0] = request["folder"]
module, name = request["function"].split(":")
result = getattr(importlib.import_module(module), name)(**request["arguments"])
print(json.dumps(result))
"""


class ChildError(RuntimeError):
    """A child process has failed; the message is its standard error."""


def call_in_fresh_process(function, *, folder=ROOT, environment=None, **arguments):
    """Call a function of the harness in a fresh process.

    Parameters
    ----------
    function : str
        ``"module:name"``.
    folder : path, default=this checkout
        Where `softreg_fast` is imported from.
    environment : dict, default=None
        Variables to set.
    **arguments
        For the function; what JSON can hold.

    Returns
    -------
    object
        What the function gives, by way of JSON.
    """
    request = {
        "harness": str(ROOT),
        "folder": str(Path(folder).resolve()),
        "function": function,
        "arguments": arguments,
    }
    variables = {**os.environ, **(environment or {})}
    variables.pop("PYTHONPATH", None)
    result = subprocess.run(
        [sys.executable, "-P", "-c", _CHILD, json.dumps(request)],
        env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if result.returncode:
        raise ChildError(f"{function} failed in a fresh process:\n{result.stderr}")
    return json.loads(result.stdout.splitlines()[-1])
