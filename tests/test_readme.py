"""What README shows runs as it stands."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_examples_run_one_after_the_other(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text("utf-8"), re.DOTALL | re.M)
    assert len(blocks) == 7
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    assert names["model"].accuracies_.max() > 0.95
    output = capsys.readouterr().out
    for expected in ("std err", "mcfadden_r2", "SELECT"):
        assert expected in output
    assert {path.name for path in tmp_path.iterdir()} == {"wine.model", "coefficients.png"}
    assert "Epoch: #" in output
