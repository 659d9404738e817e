"""Runs of one sweep, built from their configs and trained as one, as the store and the checkpoints have them."""

from pathlib import Path

import torch

from lorelab.config.build import build
from lorelab.config.describe import describe, resolved
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.restore import restore_run
from lorelab.config.stacking import groups
from lorelab.paths import ROOT
from lorelab.tracking.mlflow_store import MLflowStore
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine
from lorelab.training.provenance import capture
from lorelab.training.stacked import Member, fit_stacked

QUIET = ProgressLine("quiet")


def members(store_uri: str, folder: Path) -> list[Member]:
    register_resolvers()
    provenance, found = capture(ROOT), []
    for overrides in (["seed=0", "optimizer.lr=0.003"], ["seed=1"], ["seed=0", "model.dropout=0.1"]):
        fixed = [f"tracker.uri={store_uri}", f"tracker.artifacts={folder}", "trainer.accelerator=cpu"]
        (composed,) = compose_all(["data.limit_train=200", "trainer.max_epochs=2", *fixed, *overrides])
        parts = build(composed.cfg, composed.origin)
        start = describe(composed.cfg, composed.origin, provenance, parts.data.splits.record, code="test")
        found.append(
            Member(
                parts.learner, parts.data, parts.settings, parts.tracker, start,
                seed=composed.cfg.seed, callbacks=parts.callbacks, config=resolved(composed.cfg),
            )
        )  # fmt: skip
    return found


def test_stacked_runs_lie_in_the_store_as_runs_alone_do(store_uri, tmp_path) -> None:
    stacked, single = (members(store_uri, tmp_path / "artifacts") for _ in range(2))
    assert groups([member.config for member in stacked]) == [[0, 1, 2]]
    many = fit_stacked(stacked, QUIET)
    one = fit(
        single[2].learner, single[2].data, single[2].settings, tracker=single[2].tracker, start=single[2].start,
        seed=0, progress=QUIET, config=single[2].config,
    )  # fmt: skip
    store = MLflowStore(store_uri)
    mine, alone = store.get(many[2].run_id), store.get(one.run_id)
    assert (mine.status, mine.params) == (alone.status, alone.params)
    assert mine.metrics.keys() == alone.metrics.keys()
    assert mine.tags["lorelab.signature"] == alone.tags["lorelab.signature"]
    assert mine.tags.keys() - alone.tags.keys() == {"lorelab.stacked", "lorelab.share_seconds"}
    assert alone.tags.keys() <= mine.tags.keys()
    steps = [[step for step, _ in store.history(run.run_id, "train/loss")] for run in (mine, alone)]
    assert steps[0] == steps[1]
    assert single[2].tracker.finished(mine.tags["lorelab.signature"]).status == "finished"

    kept, known = restore_run(store, many[2].run_id), restore_run(store, one.run_id)
    inputs = single[2].data.held("test", "cpu").inputs
    with torch.no_grad():
        torch.testing.assert_close(kept.net(inputs), known.net(inputs), rtol=1e-3, atol=1e-3)
    assert [record.status for record in many] == ["finished"] * 3
    assert len({store.get(record.run_id).tags["lorelab.signature"] for record in many}) == 3
