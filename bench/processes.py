"""Functions of the harness called in other processes, with any checkout of the package."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

# `bench` is this harness, `softreg_fast` that of the folder, even if the folder has a `bench`.
# Answers go to the first standard output; whatever else is printed goes to standard error.
_CHILD = """
import importlib, json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
harness, folder = sys.argv[1:]
sys.path.insert(0, harness)
import bench
sys.path[0] = folder
for line in sys.stdin:
    request = json.loads(line)
    module, name = request["function"].split(":")
    result = getattr(importlib.import_module(module), name)(**request["arguments"])
    print(json.dumps(result), file=answers, flush=True)
"""


class ChildError(RuntimeError):
    """A child process has failed; the message is its exit status and standard error."""


class Worker:
    """A fresh process that calls functions of the harness; a context manager.

    Parameters
    ----------
    folder : path, default=this checkout
        Where `softreg_fast` is imported from.
    environment : dict, default=None
        Variables to set.
    python : path, default=the running one
        The interpreter.
    """

    def __init__(self, folder=ROOT, environment=None, python=sys.executable):
        variables = {**os.environ, **(environment or {})}
        variables.pop("PYTHONPATH", None)
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-P", "-c", _CHILD, str(ROOT), str(Path(folder).resolve())],
            env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            text=True, encoding="utf-8",
        )  # fmt: skip

    def call(self, function, **arguments):
        """What a function gives, by way of JSON.

        Parameters
        ----------
        function : str
            ``"module:name"``.
        **arguments
            For the function; what JSON can hold.
        """
        request = json.dumps({"function": function, "arguments": arguments})
        try:
            print(request, file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            status = self._process.wait()
            self._errors.seek(0)
            raise ChildError(f"{function}: exit status {status}\n{self._errors.read()}")
        return json.loads(answer)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            self._process.kill()
        self._process.communicate()
        self._errors.close()


def call_in_fresh_process(function, *, folder=ROOT, environment=None, **arguments):
    """Start a process for one call; see `Worker`."""
    with Worker(folder, environment) as worker:
        return worker.call(function, **arguments)
