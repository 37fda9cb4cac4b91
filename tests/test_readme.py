"""What README shows runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_examples_run_one_after_the_other(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.M)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["model"].accuracies_.max() > 0.95
    output = capsys.readouterr().out
    assert "std err" in output
    assert "Epoch: #" in output
