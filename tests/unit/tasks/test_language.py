"""Language modelling, against scikit-learn and torchmetrics, with its baseline and its samples."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss
from test_pictures import on_mps
from torch import nn
from torchmetrics.text import Perplexity

from lorelab.records import Batch, DataSpec
from lorelab.tasks import language
from lorelab.tasks.language import LanguageModel
from lorelab.tasks.ngram import KneserNey
from lorelab.tasks.protocol import Illustrator, Judge

DATA = DataSpec("abc", "text", (6,), "token", num_classes=5, vocabulary=tuple("?abcd"))


class Table(nn.Module):
    """Logits of the next character from this one alone."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.logits = nn.Embedding(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits(x)


def windows(count: int, seed: int = 0) -> Batch:
    """As data are cut: one stream, each window beginning where the last one ends."""
    stream = torch.randint(1, 5, (count * 6 + 1,), generator=torch.Generator().manual_seed(seed))
    rows = stream.unfold(0, 7, 6)
    return Batch(rows[:, :-1].contiguous(), rows[:, 1:].contiguous())


def test_metrics_over_uneven_batches_agree_with_scikit_learn_and_torchmetrics() -> None:
    task, net, batch = LanguageModel(DATA), Table(), windows(50)
    metrics = task.metrics()
    for rows in (slice(0, 30), slice(30, 50)):
        task.evaluate(net, Batch(batch.inputs[rows], batch.targets[rows]), metrics)
    found = {name: value.item() for name, value in metrics.compute().items()}
    probabilities, targets = task.predict(net, batch.inputs).detach(), batch.targets
    flat = probabilities.flatten(0, 1).double().numpy()
    nats = log_loss(targets.flatten(), flat / flat.sum(1, keepdims=True), labels=range(5))
    theirs = Perplexity()
    theirs.update(net(batch.inputs), targets)
    assert found["bits_per_character"] == pytest.approx(nats / math.log(2), rel=1e-5)
    assert found["perplexity"] == pytest.approx(theirs.compute().item(), rel=1e-5)
    assert found["perplexity"] == pytest.approx(2 ** found["bits_per_character"])
    assert found["accuracy"] == pytest.approx(accuracy_score(targets.flatten(), flat.argmax(1)))


def test_metrics_need_no_float64_where_the_batch_is_and_lose_nothing() -> None:
    task, metrics = LanguageModel(DATA), LanguageModel(DATA).metrics()
    nats = torch.rand(300, 200) + 1000 * (torch.arange(300) == 0)[:, None]
    hits = nats.frac() < 0.5
    for rows in range(0, 300, 100):
        metrics.update(on_mps(nats[rows : rows + 100]), on_mps(hits[rows : rows + 100]))
    found = metrics.compute()
    assert found["bits_per_character"].item() == pytest.approx(nats.double().mean().item() / math.log(2), rel=1e-7)
    assert found["accuracy"].item() == hits.double().mean().item()
    fresh = task.metrics()
    states = [getattr(metric, name) for metric in fresh.values() for name in metric._defaults]
    assert not [state for state in states if isinstance(state, torch.Tensor) and state.dtype is torch.float64]


def test_a_net_that_knows_nothing_pays_the_logarithm_of_the_vocabulary() -> None:
    task, batch = LanguageModel(DATA), windows(10)
    metrics = task.metrics()
    loss = task.evaluate(lambda x: torch.zeros(*x.shape, 5), batch, metrics)
    assert loss.item() == pytest.approx(math.log(5))
    assert metrics.compute()["bits_per_character"].item() == pytest.approx(math.log2(5))


def test_the_training_loss_is_the_evaluation_loss() -> None:
    task, net, batch = LanguageModel(DATA), Table(), windows(10)
    torch.testing.assert_close(task.loss(net, batch), task.evaluate(net, batch, task.metrics()))


def test_predictions_are_probabilities_of_the_next_character_at_every_position() -> None:
    task, net, batch = LanguageModel(DATA), Table(), windows(3)
    predicted = task.predict(net, batch.inputs)
    torch.testing.assert_close(predicted, net(batch.inputs).softmax(-1))
    torch.testing.assert_close(predicted.sum(-1), torch.ones(3, 6))


def test_half_precision_logits_are_scored_in_single_precision() -> None:
    task, batch = LanguageModel(DATA), windows(3)
    assert task.loss(lambda x: Table()(x).half(), batch).dtype == torch.float32


def test_the_baseline_learns_the_training_stream_whole_and_predicts_from_the_same_window() -> None:
    task, train, held = LanguageModel(DATA, ngram_order=3), windows(200), windows(40, seed=1)
    assert isinstance(task, Judge)
    stream = torch.cat([train.inputs.flatten(), train.targets[-1, -1:]])[None].numpy()
    rows = torch.cat([held.inputs, held.targets[:, -1:]], dim=1).numpy()
    expected = KneserNey(stream, 5, 3).bits(rows)
    assert task.judge(Table(), train, held, "val") == {"ngram_bits_per_character": pytest.approx(expected)}


def test_windows_that_do_not_join_are_learnt_one_by_one() -> None:
    train, held = windows(200), windows(40, seed=1)
    mixed = Batch(train.inputs.flip(0), train.targets.flip(0))
    rows = torch.cat([mixed.inputs, mixed.targets[:, -1:]], dim=1).numpy()
    expected = KneserNey(rows, 5, 3).bits(torch.cat([held.inputs, held.targets[:, -1:]], dim=1).numpy())
    judged = LanguageModel(DATA, ngram_order=3).judge(Table(), mixed, held, "val")
    assert judged["ngram_bits_per_character"] == pytest.approx(expected)


def test_the_baseline_is_fitted_once_and_each_split_scored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, scored = [], []

    class Counted(KneserNey):
        def __init__(self, rows: np.ndarray, vocabulary: int, order: int) -> None:
            fitted.append(order)
            super().__init__(rows, vocabulary, order)

        def bits(self, rows: np.ndarray) -> float:
            scored.append(len(rows))
            return super().bits(rows)

    monkeypatch.setattr(language, "KneserNey", Counted)
    task, train, val, test = LanguageModel(DATA), windows(50), windows(20, seed=1), windows(30, seed=2)
    results = [task.judge(Table(step), train, val, "val") for step in range(3)]
    task.judge(Table(), train, test, "test")
    assert results[0] == results[1] == results[2]
    assert (fitted, scored) == ([7], [20, 30])


def test_an_order_beyond_the_window_is_cut_to_it() -> None:
    train = windows(50)
    apart = Batch(train.inputs[::2], train.targets[::2])
    assert LanguageModel(DATA, ngram_order=99).judge(Table(), apart, windows(9), "val")["ngram_bits_per_character"] > 0


@pytest.fixture
def shown(tmp_path) -> Callable[..., list[str]]:
    def illustrate(stage: str = "val", step: int = 40, **options: object) -> list[str]:
        task = LanguageModel(DATA, **options)
        assert isinstance(task, Illustrator)
        with torch.no_grad():
            task.illustrate(Table(), windows(9, seed=1), stage, step, tmp_path)
        return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.txt"))

    return illustrate


def test_samples_continue_prompts_of_the_split_under_evaluation(shown, tmp_path) -> None:
    assert shown(samples=3, sample_length=20) == ["samples/step-000040.txt"]
    text = (tmp_path / "samples/step-000040.txt").read_text()
    prompts = ["".join(DATA.vocabulary[t] for t in row) for row in windows(9, seed=1).inputs[::3].tolist()]
    for prompt, piece in zip(prompts, text.split("=== prompt ")[1:], strict=True):
        title, body = piece.split(" ===\n")
        assert title == repr(prompt)
        assert body.strip().startswith(prompt)
        assert len(body.strip()) == 6 + 20


def test_samples_of_the_best_weights_have_a_name_of_their_own_and_may_be_fewer_than_asked(shown, tmp_path) -> None:
    assert shown("test", samples=20, sample_length=2) == ["samples/best.txt"]
    assert (tmp_path / "samples/best.txt").read_text().count("=== prompt") == 9


def test_samples_are_the_same_again_and_leave_the_global_random_state_alone(shown, tmp_path) -> None:
    shown()
    first = (tmp_path / "samples/step-000040.txt").read_text()
    torch.manual_seed(5)
    table, state = Table(), torch.get_rng_state()
    with torch.no_grad():
        LanguageModel(DATA).illustrate(table, windows(9, seed=1), "val", 40, tmp_path)
    assert (tmp_path / "samples/step-000040.txt").read_text() == first
    assert torch.equal(torch.get_rng_state(), state)


def test_no_samples_are_written_if_none_are_asked_for(shown) -> None:
    assert shown(samples=0) == []


CLASSES = DataSpec("digits", "image", (1, 8, 8), "class", num_classes=10)


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (CLASSES, {}, "targets of 'digits' are of kind 'class' .*expected 'token'.*another task or data set"),
        (DataSpec("a", "text", (4,), "token", num_classes=1), {}, "vocabulary of 1, expected 'token' with at least 2"),
        (DATA, {"ngram_order": 0}, "ngram_order=0, expected at least 1"),
        (DATA, {"samples": -1}, "samples=-1, .*expected samples of at least 0"),
        (DATA, {"temperature": -0.1}, "temperature=-0.1, expected .*temperature of at least 0"),
        (DATA, {"monitor": "val/bits"}, "monitor='val/bits' is not measured by this task"),
        (DATA, {"mode": "max"}, "mode='max' with monitor='val/bits_per_character', expected mode='min'"),
    ],
)
def test_other_data_and_values_out_of_range_are_refused(data, options, message) -> None:
    with pytest.raises(ValueError, match=f"LanguageModel: .*{message}"):
        LanguageModel(data, **options)
