"""What runs of a study cost."""

from lorelab.cli.study_run import own_seconds
from lorelab.tracking.protocol import StoredRun


def test_a_stacked_run_costs_its_share_of_the_stack() -> None:
    alone = StoredRun("1", "alone", "finished", started=0.0, seconds=8.0)
    stacked = StoredRun("2", "stacked", "finished", 0.0, 8.0, tags={"lorelab.share_seconds": "0.250"})
    assert own_seconds(alone) == 8.0
    assert own_seconds(stacked) == 0.25
    assert own_seconds(StoredRun("3", "running", "running", 0.0, None)) is None
