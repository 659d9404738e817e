import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn

from lorelab.data.augment import HorizontalFlip
from lorelab.data.batches import StreamedBatches, TensorBatches
from lorelab.data.builtin import diabetes, digits
from lorelab.data.loading import DataModule
from lorelab.errors import DataError


@pytest.fixture(scope="module")
def splits():
    return digits(limit_train=100)


class Spy(LightningModule):
    """Trains a line and remembers which examples it saw in which epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(64, 1)
        self.seen: dict[int, list[torch.Tensor]] = {}
        self.validated = self.tested = 0

    def training_step(self, batch, _index):
        self.seen.setdefault(self.current_epoch, []).append(batch.inputs.clone())
        return self.net(batch.inputs.flatten(1)).square().mean()

    def validation_step(self, batch, _index):
        self.validated += len(batch.inputs)

    def test_step(self, batch, _index):
        self.tested += len(batch.inputs)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-3)


def trainer(folder, epochs: int, **options) -> Trainer:
    return Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=folder, num_sanity_val_steps=0, **options,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("memory_limit_gb", [2.0, 0.0], ids=["memory", "streamed"])
def test_lightning_sees_each_epoch_in_its_own_order_also_after_a_resume(splits, tmp_path, memory_limit_gb) -> None:
    def data() -> DataModule:
        return DataModule(splits, 32, seed=7, augment=HorizontalFlip(), memory_limit_gb=memory_limit_gb)

    whole, resumed = Spy(), Spy()
    trainer(tmp_path, 3, enable_checkpointing=False).fit(whole, datamodule=data())
    first = trainer(tmp_path, 2, enable_checkpointing=False)
    first.fit(Spy(), datamodule=data())
    first.save_checkpoint(tmp_path / "last.ckpt")
    trainer(tmp_path, 3, enable_checkpointing=False).fit(resumed, datamodule=data(), ckpt_path=tmp_path / "last.ckpt")

    alone = data().train_dataloader()
    for epoch, batches in whole.seen.items():
        alone.set_epoch(epoch)
        assert all(torch.equal(a, b.inputs) for a, b in zip(batches, alone, strict=True))
    assert sorted(whole.seen) == [0, 1, 2]
    assert list(resumed.seen) == [2]
    assert all(torch.equal(a, b) for a, b in zip(whole.seen[2], resumed.seen[2], strict=True))


@pytest.mark.filterwarnings("ignore")
def test_validation_and_test_see_every_example_once(splits, tmp_path) -> None:
    spy, data = Spy(), DataModule(splits, 32, eval_batch_size=100)
    once = trainer(tmp_path, 1, enable_checkpointing=False)
    once.fit(spy, datamodule=data)
    once.test(spy, datamodule=data, verbose=False)
    assert (spy.validated, spy.tested) == (270, 270)


def test_small_sets_are_held_and_large_ones_streamed_with_the_same_batches(splits) -> None:
    held, streamed = (DataModule(splits, 32, seed=1, memory_limit_gb=limit) for limit in (2.0, 1e-6))
    assert isinstance(held.train_dataloader(), TensorBatches)
    assert isinstance(streamed.train_dataloader(), StreamedBatches)
    for kind in ("train", "val", "test"):
        a, b = (getattr(data, f"{kind}_dataloader")() for data in (held, streamed))
        assert all(torch.equal(x.inputs, y.inputs) for x, y in zip(a, b, strict=True))


def test_the_limit_is_in_gigabytes_of_float32(splits) -> None:
    needed = sum(len(split) for split in splits.by_name().values()) * 64 * 4 / 1e9
    assert DataModule(splits, memory_limit_gb=needed * 1.001).in_memory
    assert not DataModule(splits, memory_limit_gb=needed * 0.999).in_memory


def test_each_split_fits_or_not_by_its_own_size(splits) -> None:
    needed = {name: 4 * split.inputs.numel() / 1e9 for name, split in splits.by_name().items()}
    assert needed["train"] < needed["val"]
    data = DataModule(splits, memory_limit_gb=(needed["train"] + needed["val"]) / 2)
    assert not data.in_memory
    assert [data.fits(name) for name in ("train", "val", "test")] == [True, False, False]
    exact = DataModule(splits, memory_limit_gb=needed["val"])
    assert all(exact.fits(name) for name in needed)
    assert not exact.in_memory


def test_batches_are_normalised_by_the_training_split(splits) -> None:
    inputs = torch.cat([batch.inputs for batch in DataModule(splits).train_dataloader()])
    assert inputs.mean().item() == pytest.approx(0, abs=1e-5)
    assert inputs.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_only_training_batches_are_augmented(splits) -> None:
    plain, flipped = (DataModule(splits, augment=augment) for augment in (None, HorizontalFlip(1.0)))
    train, mirrored = (next(iter(data.train_dataloader())).inputs for data in (plain, flipped))
    assert torch.equal(mirrored, train.flip(-1))
    for kind in ("val", "test"):
        a, b = (next(iter(getattr(data, f"{kind}_dataloader")())).inputs for data in (plain, flipped))
        assert torch.equal(a, b)


def test_what_is_held_is_made_once(splits) -> None:
    data = DataModule(splits)
    assert data.held("train") is data.held("train", "cpu")


def test_augmenting_a_table_is_refused() -> None:
    with pytest.raises(DataError, match=r"augment: diabetes holds 'table' inputs.*Use augment=none"):
        DataModule(diabetes(), augment=HorizontalFlip())


def test_several_devices_in_one_run_are_refused(splits) -> None:
    data = DataModule(splits)
    data.trainer = type("TwoProcesses", (), {"world_size": 2})()
    with pytest.raises(DataError, match=r"found 2 processes in one run, expected 1"):
        data.setup("fit")
