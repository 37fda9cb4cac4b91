"""What README shows runs as it stands."""

from pathlib import Path

from documents import python_blocks, run

README = Path(__file__).parent.parent / "README.md"


def test_examples_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = python_blocks(README.read_text("utf-8"))
    assert len(blocks) == 7
    names = {}
    output = "".join(run(block, README, names) for block in blocks)
    assert names["model"].accuracies_.max() > 0.95
    for expected in ("std err", "mcfadden_r2", "SELECT"):
        assert expected in output
    assert {path.name for path in tmp_path.iterdir()} == {"wine.model", "coefficients.png"}
    assert "Epoch: #" in output
