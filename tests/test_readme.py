"""What README shows runs as it stands."""

from pathlib import Path

from documents import python_blocks, run

README = Path(__file__).parent.parent / "README.md"


def test_examples_run_one_after_the_other():
    blocks = python_blocks(README.read_text("utf-8"))
    assert len(blocks) == 5
    names = {}
    output = "".join(run(block, README, names) for block in blocks)
    assert names["model"].accuracies_.max() > 0.95
    assert "std err" in output
    assert "Epoch: #" in output
