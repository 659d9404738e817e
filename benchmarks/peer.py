"""The peer: MNIST as widely used PyTorch Lightning templates train it (``python -m benchmarks.peer --help``).

Every example goes through PIL and torchvision's transforms in a ``DataLoader``; torchmetrics are updated and logged at
every step; bar, CSV logger and checkpoint are Lightning's. The net and the sizes of the splits are Lorelab's, so that
feeding and bookkeeping are what differs. Knows nothing of Lorelab and can be read as what one would write without it.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, random_split
from torchmetrics import MaxMetric, MeanMetric
from torchmetrics.classification import MulticlassAccuracy
from torchvision import transforms
from torchvision.datasets import MNIST

SIZES = (784, 64, 64, 64, 10)


class Classifier(LightningModule):
    """An MLP with Adam; loss and accuracy of each stage as metrics that Lightning logs."""

    def __init__(self, lr: float = 1e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise(SIZES):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.net = nn.Sequential(*layers[:-1])
        self.criterion = nn.CrossEntropyLoss()
        self.losses = nn.ModuleDict({f"{stage}_loss": MeanMetric() for stage in ("train", "val", "test")})
        self.accuracies = nn.ModuleDict({f"{s}_acc": MulticlassAccuracy(10) for s in ("train", "val", "test")})
        self.best_accuracy = MaxMetric()

    def step(self, batch: tuple[Tensor, Tensor], stage: str) -> Tensor:
        inputs, targets = batch
        logits = self.net(inputs)
        loss = self.criterion(logits, targets)
        mean, accuracy = self.losses[f"{stage}_loss"], self.accuracies[f"{stage}_acc"]
        mean(loss)
        accuracy(logits.argmax(dim=1), targets)
        per_step = stage == "train"
        self.log(f"{stage}/loss", mean, on_step=per_step, on_epoch=True, prog_bar=True)
        self.log(f"{stage}/acc", accuracy, on_step=per_step, on_epoch=True, prog_bar=True)
        return loss

    def training_step(self, batch: Any, _index: int) -> Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Any, _index: int) -> None:
        self.step(batch, "val")

    def test_step(self, batch: Any, _index: int) -> None:
        self.step(batch, "test")

    def on_validation_epoch_end(self) -> None:
        accuracy = self.accuracies["val_acc"]
        assert isinstance(accuracy, MulticlassAccuracy)
        self.best_accuracy.update(accuracy.compute())
        self.log("val/acc_best", self.best_accuracy.compute(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])


def datasets(root: str) -> tuple[Dataset[Any], Dataset[Any], Dataset[Any]]:
    """Train (54,000), validation (6,000) and test, each example transformed when it is asked for."""
    per_example = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    train, val = random_split(
        MNIST(root, train=True, transform=per_example), [54_000, 6_000], generator=torch.Generator().manual_seed(0)
    )
    return train, val, MNIST(root, train=False, transform=per_example)


def train(root: str, folder: str, *, epochs: int = 1, workers: int = 0, callbacks: tuple[Callback, ...] = ()) -> None:
    """Trains with validation after each epoch, then tests the best checkpoint."""
    seed_everything(0, workers=True, verbose=False)
    train_set, val_set, test_set = datasets(root)
    options: dict[str, Any] = {"batch_size": 64, "num_workers": workers}
    trainer = Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=[ModelCheckpoint(monitor="val/acc", mode="max", save_last=True), *callbacks],
        default_root_dir=folder,
    )
    trainer.fit(Classifier(), DataLoader(train_set, shuffle=True, **options), DataLoader(val_set, **options))
    trainer.test(dataloaders=DataLoader(test_set, **options), ckpt_path="best", weights_only=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.peer")
    parser.add_argument("root", help="folder that holds MNIST/raw")
    parser.add_argument("folder", help="where logs and checkpoints go")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--workers", type=int, default=0)
    train(**vars(parser.parse_args()))
