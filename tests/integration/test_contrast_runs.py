"""Learning by contrast, from preset to record: the baselines of its own run are beaten, the picture is stored."""

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


def test_a_contrastive_run_on_a_table_reports_its_probes_beside_both_baselines() -> None:
    record, tracker = trained("experiment=contrastive_breast_cancer", "trainer.max_epochs=20")
    assert record.status is RunStatus.FINISHED
    probes = ("knn_accuracy", "probe_accuracy")
    measured = {f"test/{prefix}{probe}" for prefix in ("", "raw_", "random_") for probe in probes}
    assert measured <= record.metrics.keys()
    assert record.score is not None
    assert record.score > 0.85
    losses = [value for _, value in tracker.history("val/loss")]
    assert losses[-1] < losses[0] - 0.5
