"""A language model from a user's own file, by the command line, to its samples."""

from pathlib import Path

import pytest

from lorelab.cli.sample import main as sample
from lorelab.tracking.mlflow_store import MLflowStore


def test_a_text_file_is_learnt_tracked_beside_its_baseline_and_continued(lorelab, store_uri, tmp_path, capsys):
    text = tmp_path / "counting.txt"
    text.write_text("one two three four five six seven eight nine ten\n" * 200, encoding="utf-8")
    choices = ["data=text_file", f"data.path={text}", "data.context=16", "model=char_mlp", "optimizer.lr=0.01"]
    budget = ["trainer.max_steps=60", "trainer.val_check_interval=30", "trainer.threads=1", "progress=quiet"]
    lorelab("train", *choices, *budget)
    store = MLflowStore(store_uri)
    (run,) = store.runs()
    metrics = run.metrics
    assert metrics["test/bits_per_character"] < 0.5
    assert metrics["test/perplexity"] == pytest.approx(2 ** metrics["test/bits_per_character"])
    assert 0 < metrics["test/ngram_bits_per_character"] < 0.5
    assert [step for step, _ in store.history(run.run_id, "val/bits_per_character")] == [30, 60]
    for name in ("step-000030.txt", "step-000060.txt", "best.txt"):
        written = store.download(run.run_id, f"samples/{name}", tmp_path / "samples")
        assert Path(written).read_text(encoding="utf-8").count("=== prompt") == 3
    assert sample([run.name, "--prompt", "one two", "--temperature", "0", "--length", "20", "--uri", store_uri]) == 0
    assert capsys.readouterr().out == "one two three four five six\n"
