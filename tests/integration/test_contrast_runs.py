"""Learning by contrast, from the command line's options to the record: what is learned beats the baselines of its own
run where there is something to learn, and the picture is stored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lorelab.config.build import build
from lorelab.config.overrides import compose_all
from lorelab.config.resolvers import register_resolvers
from lorelab.config.validate import validate
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.tracking.memory import MemoryTracker
from lorelab.training.fit import fit
from lorelab.training.progress import ProgressLine


def trained(*overrides: str) -> tuple[RunRecord, MemoryTracker]:
    register_resolvers()
    (composed,) = compose_all([*overrides, "tracker=none", "trainer.accelerator=cpu", "trainer.threads=1"])
    validate(composed.cfg, composed.origin)
    parts = build(composed.cfg, composed.origin)
    tracker = parts.tracker
    assert isinstance(tracker, MemoryTracker)
    quiet = ProgressLine("quiet")
    start = RunStart("contrast", {}, {})
    return fit(parts.learner, parts.data, parts.settings, tracker=tracker, start=start, progress=quiet), tracker


def test_noise_contrastive_estimation_beats_the_gaussian_and_respects_the_bound() -> None:
    record, tracker = trained(
        "experiment=nce_rings", "data.train=3000", "data.test=3000", "trainer.max_epochs=20", "task.grid_size=128"
    )
    assert record.status is RunStatus.FINISHED
    found = record.metrics
    assert (
        found["test/gaussian_log_likelihood"] + 0.5 < found["test/log_likelihood"] < found["test/true_log_likelihood"]
    )
    assert 0 < found["test/kl"] < 0.3
    assert abs(found["test/log_normaliser"]) < 0.2
    assert "densities.png" in tracker.files
    assert [step for step, _ in tracker.history("val/log_likelihood")] == [60, 120, 180, 240]


PROBES = ("knn_accuracy", "probe_accuracy")


class NoiseAgain:
    """A view of rows whose first two columns matter: the others take their values from random other rows."""

    accepts_inputs = frozenset({"table"})

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        kept, noise = rows[:, :2], rows[:, 2:]
        return torch.cat([kept, noise.gather(0, torch.randint(len(rows), noise.shape, generator=generator))], dim=1)


def test_learned_without_labels_a_representation_beats_raw_inputs_and_an_untrained_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places on a circle beside 16 columns of noise; the class is the parity of the quadrant, which nothing linear in
    the columns tells."""
    monkeypatch.setenv("LORELAB_TRUST", __name__)
    draws = np.random.default_rng(0)
    angles = draws.uniform(0, 2 * np.pi, 2000)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rows = np.concatenate([circle, draws.standard_normal((2000, 16))], axis=1)
    np.savez(tmp_path / "circle.npz", x=rows, y=circle.prod(axis=1) > 0)
    record, _ = trained(
        *("data=arrays", f"data.path={tmp_path / 'circle.npz'}", "task=contrastive", "augment=two_views_table"),
        *("augment.keep_original=false", f"augment.transforms=[{{_target_: {__name__}.NoiseAgain}}]"),
        *("model=mlp", "model.width=128", "model/head=mlp", "optimizer=adam", "optimizer.lr=0.003", "scheduler=cosine"),
        *("loader.batch_size=128", "loader.eval_batch_size=128", "trainer.max_epochs=15"),
    )
    assert record.status is RunStatus.FINISHED
    for probe in PROBES:
        learned = record.metrics[f"test/{probe}"]
        assert learned > 0.85
        assert learned > record.metrics[f"test/raw_{probe}"] + 0.1
        assert learned > record.metrics[f"test/random_{probe}"] + 0.1


def test_the_preset_of_a_table_learns_and_reports_its_probes_beside_both_baselines() -> None:
    """No claim that it beats them: on this table, raw inputs are good already."""
    record, tracker = trained("experiment=contrastive_breast_cancer", "trainer.max_epochs=20")
    assert record.status is RunStatus.FINISHED
    assert {f"test/{prefix}{probe}" for prefix in ("", "raw_", "random_") for probe in PROBES} <= record.metrics.keys()
    assert record.score is not None
    assert record.score > 0.85
    losses = [value for _, value in tracker.history("val/loss")]
    assert losses[-1] < losses[0] - 0.5
