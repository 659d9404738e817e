import pytest
import torch

from lorelab.data import batches as module
from lorelab.data.augment import Compose, HorizontalFlip, RandomCrop
from lorelab.data.batches import Order, StreamedBatches, TensorBatches
from lorelab.data.splits import Normalise, Split
from lorelab.records import Batch


@pytest.fixture
def split() -> Split:
    """Fifty 1 × 2 × 2 images; image and target say which example it is."""
    return Split(torch.arange(50, dtype=torch.float32).view(50, 1, 1, 1).repeat(1, 1, 2, 2), torch.arange(50))


def seen(batches) -> list[int]:
    return [int(target) for batch in batches for target in batch.targets]


def test_every_example_comes_once_with_its_target_and_the_last_batch_is_kept(split) -> None:
    batches = TensorBatches(split, Order(50, 8, shuffle=True))
    out = list(batches)
    assert [len(batch.inputs) for batch in out] == [8] * 6 + [2]
    assert len(batches) == 7
    assert sorted(seen(out)) == list(range(50))
    assert all(
        isinstance(batch, Batch) and torch.equal(batch.inputs[:, 0, 0, 0].long(), batch.targets) for batch in out
    )


def test_unshuffled_batches_come_as_the_rows_lie_and_are_views(split) -> None:
    out = list(TensorBatches(split, Order(50, 8)))
    assert seen(out) == list(range(50))
    assert out[1].inputs.data_ptr() == split.inputs[8:].data_ptr()


def test_the_order_depends_on_seed_and_epoch_alone(split) -> None:
    epoch = 0
    batches = TensorBatches(split, Order(50, 8, seed=3, shuffle=True, epoch=lambda: epoch))
    orders = []
    for epoch in range(3):
        torch.manual_seed(epoch)
        orders.append(seen(batches))
    assert len({tuple(order) for order in orders}) == 3
    alone = TensorBatches(split, Order(50, 8, seed=3, shuffle=True))
    alone.set_epoch(2)
    assert seen(alone) == orders[2]
    assert seen(TensorBatches(split, Order(50, 8, seed=4, shuffle=True))) != orders[0]


def test_the_epoch_is_asked_for_when_the_first_batch_is_not_when_the_iterator_is_made(split) -> None:
    epoch = 0
    batches = TensorBatches(split, Order(50, 8, shuffle=True, epoch=lambda: epoch))
    early = iter(batches)
    epoch = 1
    assert seen(early) == seen(batches)


def test_batches_do_not_hang_on_how_many_are_gathered_at_once(split, monkeypatch) -> None:
    whole = list(TensorBatches(split, Order(50, 8, shuffle=True)))
    monkeypatch.setattr(module, "_CHUNK_BYTES", {"cpu": 2 * 8 * 16})  # two batches of eight 16-byte images
    parts = list(TensorBatches(split, Order(50, 8, shuffle=True)))
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(whole, parts, strict=True))


@pytest.mark.parametrize("kind", ["memory", "streamed"])
def test_the_global_random_state_is_neither_read_nor_moved(split, kind) -> None:
    order = Order(50, 8, shuffle=True)
    augment = HorizontalFlip()
    batches = TensorBatches(split, order, augment) if kind == "memory" else StreamedBatches(split, order, augment)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = seen(batches)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    assert seen(batches) == first


@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_equal_those_from_memory(workers) -> None:
    raw = torch.randint(0, 256, (60, 3, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    split, normalise = Split(raw, torch.arange(60)), Normalise.fitted(raw)
    augment = Compose([RandomCrop(2), HorizontalFlip()])
    held = TensorBatches(Split(normalise(raw), split.targets), Order(60, 16, seed=5, shuffle=True), augment)
    streamed = StreamedBatches(split, Order(60, 16, seed=5, shuffle=True), augment, normalise, workers=workers)
    for epoch in (0, 1):
        held.set_epoch(epoch)
        streamed.set_epoch(epoch)
        pairs = list(zip(held, streamed, strict=True))
        assert len(pairs) == len(held) == len(streamed) == 4
        assert all(torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets) for a, b in pairs)


def test_augmentation_goes_on_within_an_epoch_and_repeats_with_it(split) -> None:
    same = Split(torch.rand(1, 1, 4, 4).expand(64, -1, -1, -1), torch.zeros(64))
    batches = TensorBatches(same, Order(64, 32, seed=1, shuffle=True), HorizontalFlip())
    first, second = list(batches)
    assert not torch.equal(first.inputs, second.inputs)
    assert torch.equal(list(batches)[1].inputs, second.inputs)
    batches.set_epoch(1)
    assert not torch.equal(next(iter(batches)).inputs, first.inputs)


def test_an_empty_split_has_no_batches() -> None:
    empty = Split(torch.zeros(0, 3), torch.zeros(0))
    assert list(TensorBatches(empty, Order(0, 8))) == list(TensorBatches(empty, Order(0, 8, shuffle=True))) == []


def test_a_batch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="batch_size is 0; expected at least 1"):
        Order(10, 0)
