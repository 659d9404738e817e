import pytest

from lorelab.records import DataSpec
from lorelab.tasks.auto import fitting
from lorelab.tasks.classification import Classification
from lorelab.tasks.regression import Regression

CLASSES = DataSpec("a", "table", (3,), "class", 2, ("no", "yes"), class_counts=(1, 1))
REAL = DataSpec("b", "table", (3,), "real")


def test_the_targets_choose_the_task_and_its_monitor() -> None:
    assert isinstance(fitting(CLASSES), Classification)
    assert (fitting(CLASSES).monitor, fitting(CLASSES).mode) == ("val/accuracy", "max")
    assert isinstance(fitting(REAL), Regression)
    assert (fitting(REAL).monitor, fitting(REAL).mode) == ("val/rmse", "min")


def test_a_monitor_may_be_chosen() -> None:
    assert (fitting(REAL, "val/r2", "max").monitor, fitting(REAL, "val/r2", "max").mode) == ("val/r2", "max")
    with pytest.raises(ValueError, match="val/accuracy"):
        fitting(REAL, "val/accuracy", "max")


def test_other_targets_are_refused() -> None:
    with pytest.raises(ValueError, match="kind 'token', expected 'class' or 'real'"):
        fitting(DataSpec("c", "text", (8,), "token", 5))
