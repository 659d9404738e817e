import pytest

from lorelab.training.settings import TrainerSettings


def test_an_epoch_budget_counts_the_last_smaller_batch_as_a_step() -> None:
    assert TrainerSettings(max_epochs=2).total_steps(examples=100, batch_size=32) == 8


def test_accumulation_divides_the_steps_and_rounds_up_at_each_epochs_end() -> None:
    assert TrainerSettings(max_epochs=2, accumulate_grad_batches=3).total_steps(examples=100, batch_size=32) == 4


def test_a_budget_in_examples_takes_whole_epochs_first() -> None:
    # 100 examples are one epoch of 4 steps; the other 40 need two batches of 32.
    assert TrainerSettings(max_examples=140).total_steps(examples=100, batch_size=32) == 6
    assert TrainerSettings(max_examples=100).total_steps(examples=100, batch_size=32) == 4


def test_the_first_limit_reached_ends_the_budget() -> None:
    assert TrainerSettings(max_epochs=20, max_steps=7).total_steps(examples=100, batch_size=32) == 7
    assert TrainerSettings(max_epochs=1, max_steps=700).total_steps(examples=100, batch_size=32) == 4


def test_a_run_without_a_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="no budget: set one of max_epochs, max_steps, max_examples"):
        TrainerSettings()


@pytest.mark.parametrize("name", ["max_steps", "gradient_clip_val", "accumulate_grad_batches", "threads"])
def test_a_value_that_is_not_positive_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be greater than 0, got 0"):
        TrainerSettings(**({"max_epochs": 1} | {name: 0}))  # type: ignore[arg-type]
