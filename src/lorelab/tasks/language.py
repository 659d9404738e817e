"""Language modelling: the next character at every position."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor
from torch.nn import functional as F
from torchmetrics import Metric, MetricCollection
from torchmetrics.utilities import dim_zero_cat

from lorelab.records import Batch, DataSpec
from lorelab.tasks.monitor import Mode, check_monitor
from lorelab.tasks.ngram import KneserNey
from lorelab.tasks.precision import precise
from lorelab.tasks.protocol import Net, Stage
from lorelab.tasks.sampling import generate

_PROMPT = 32


class LanguageModel:
    """Cross-entropy of the next character, averaged over all positions; the bits it costs are the score.

    Beside it an n-gram model of ``ngram_order`` learns from the same training split and predicts the same targets from
    the same window: ``ngram_bits_per_character``, computed once per split. After each evaluation ``samples`` texts of
    ``sample_length`` characters at ``temperature`` go to ``samples/step-N.txt`` (of the best weights at the end:
    ``samples/best.txt``), from prompts of the split under evaluation and with draws that are the same at every step.
    Raises ``ValueError`` if the data are not text or a value is out of range.
    """

    accepts_inputs: ClassVar[frozenset[str]] = frozenset({"text"})
    accepts_targets: ClassVar[frozenset[str]] = frozenset({"token"})
    better: ClassVar[dict[str, Mode]] = {
        "loss": "min",
        "bits_per_character": "min",
        "perplexity": "min",
        "accuracy": "max",
    }
    better_at_test: ClassVar[dict[str, Mode]] = {"ngram_bits_per_character": "min"}
    """Also measured; no score to train by."""

    def __init__(
        self,
        data: DataSpec,
        monitor: str = "val/bits_per_character",
        mode: Mode = "min",
        ngram_order: int = 7,
        samples: int = 3,
        sample_length: int = 200,
        temperature: float = 0.8,
    ) -> None:
        if data.target_kind not in self.accepts_targets or data.num_classes < 2:
            raise ValueError(
                f"LanguageModel: the targets of '{data.name}' are of kind '{data.target_kind}' with a vocabulary of "
                f"{data.num_classes}, expected 'token' with at least 2; use another task or data set"
            )
        if ngram_order < 1:
            raise ValueError(f"LanguageModel: ngram_order={ngram_order}, expected at least 1")
        if samples < 0 or sample_length < 1 or not 0 <= temperature < math.inf:
            raise ValueError(
                f"LanguageModel: samples={samples}, sample_length={sample_length}, temperature={temperature}, "
                "expected samples of at least 0, a length of at least 1 and a temperature of at least 0"
            )
        check_monitor("LanguageModel", monitor, mode, self.better)
        self.monitor = monitor
        self.mode: Mode = mode
        self.out_features = data.num_classes
        self.vocabulary = data.vocabulary
        self.ngram_order = ngram_order
        self.samples, self.sample_length, self.temperature = samples, sample_length, temperature
        self._ngram: tuple[Tensor, KneserNey] | None = None
        self._ngram_bits: dict[Stage, tuple[Tensor, float]] = {}

    def loss(self, net: Net, batch: Batch) -> Tensor:
        """Mean cross-entropy over ``B × T`` positions in nats, shape ``()``."""
        return _nats(_logits(net, batch.inputs), batch.targets).mean()

    @property
    def each(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Of single positions."""
        return lambda outputs, targets: _nats(precise(outputs), targets)

    def evaluate(self, net: Net, batch: Batch, metrics: MetricCollection) -> Tensor:
        """Updates ``metrics`` and returns the mean cross-entropy in nats, shape ``()``."""
        logits = _logits(net, batch.inputs)
        nats = _nats(logits, batch.targets)
        metrics.update(nats, logits.argmax(-1) == batch.targets)
        return nats.mean()

    def predict(self, net: Net, inputs: Tensor) -> Tensor:
        """Probabilities of the next character at every position, ``(B, T, V)``; the last one continues the text."""
        return _logits(net, inputs).softmax(-1)

    def metrics(self) -> MetricCollection:
        """Fresh ``bits_per_character`` (at least 0; log2 V is chance), ``perplexity`` (2 to the power of it) and
        ``accuracy`` of the likeliest character, all over every position of every window."""
        parts: dict[str, Metric | MetricCollection] = {
            "bits_per_character": BitsPerCharacter(),
            "perplexity": Perplexity(),
            "accuracy": Accuracy(),
        }
        return MetricCollection(parts, compute_groups=False)

    def judge(self, net: Net, train: Batch, held: Batch, stage: Stage) -> Mapping[str, float]:
        """``ngram_bits_per_character``: what the n-gram model pays for the targets of ``held``; it does not depend on
        ``net``."""
        known = self._ngram_bits.get(stage)
        if known is None or known[0] is not held.inputs:
            if self._ngram is None or self._ngram[0] is not train.inputs:
                rows = _stream(train).cpu().numpy()
                self._ngram = (train.inputs, KneserNey(rows, self.out_features, min(self.ngram_order, rows.shape[1])))
            known = (held.inputs, self._ngram[1].bits(_rows(held).cpu().numpy()))
            self._ngram_bits[stage] = known
        return {"ngram_bits_per_character": known[1]}

    def illustrate(self, net: Net, held: Batch, stage: Stage, step: int, folder: Path) -> None:
        """Writes ``samples/step-N.txt``, or ``samples/best.txt`` at the test."""
        if not self.samples or not self.vocabulary:
            return
        count, context = min(self.samples, len(held.inputs)), held.inputs.shape[1]
        every = len(held.inputs) // count
        prompts = held.inputs[: every * count : every, :_PROMPT]
        draws = Generator().manual_seed(0)
        texts = generate(
            net, prompts, self.sample_length, context=context, temperature=self.temperature, generator=draws
        )
        path = folder / "samples" / ("best.txt" if stage == "test" else f"step-{step:06d}.txt")
        path.parent.mkdir(exist_ok=True)
        pieces = [f"=== prompt {self._text(row[: prompts.shape[1]])!r} ===\n{self._text(row)}\n" for row in texts]
        path.write_text("\n".join(pieces), encoding="utf-8")

    def _text(self, tokens: Tensor) -> str:
        return "".join(self.vocabulary[token] for token in tokens.tolist())


class _Mean(Metric):
    """A mean over all characters: sums of windows on the device, which may have no float64, then float64 on the CPU."""

    full_state_update = False
    sums: list[Tensor]
    count: Tensor

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.add_state("sums", [], dist_reduce_fx="cat")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _add(self, values: Tensor) -> None:
        self.sums.append(values.sum(-1))
        self.count += values.numel()

    def _mean(self) -> Tensor:
        """On the CPU, float64."""
        return dim_zero_cat(self.sums).cpu().double().sum() / self.count.cpu()


class BitsPerCharacter(_Mean):
    """Mean of -log2 of the probability that each target was given. ``update(nats, hits)``, both ``(B, T)``."""

    def update(self, nats: Tensor, hits: Tensor) -> None:
        """Cross-entropy in nats per character."""
        self._add(nats)

    def compute(self) -> Tensor:
        """Bits, at least 0."""
        return self._mean() / math.log(2)


class Perplexity(BitsPerCharacter):
    """Number of equally likely characters that would be as hard to guess: between 1 and, at chance, V."""

    def compute(self) -> Tensor:
        """e to the mean cross-entropy in nats."""
        return self._mean().exp()


class Accuracy(_Mean):
    """Share of targets that were the likeliest character. ``update(nats, hits)``, both ``(B, T)``."""

    def update(self, nats: Tensor, hits: Tensor) -> None:
        """Where the likeliest character was right."""
        self._add(hits)

    def compute(self) -> Tensor:
        """In [0, 1]."""
        return self._mean()


def _logits(net: Net, inputs: Tensor) -> Tensor:
    return precise(net(inputs))


def _nats(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each position, ``(B, T)``."""
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)


def _rows(batch: Batch) -> Tensor:
    """Whole windows, ``(N, T + 1)``."""
    return torch.cat([batch.inputs, batch.targets[:, -1:]], dim=1)


def _stream(batch: Batch) -> Tensor:
    """One row if each window begins where the last one ends, so that n-grams reach across; else ``_rows``."""
    if torch.equal(batch.targets[:-1, -1], batch.inputs[1:, 0]):
        return torch.cat([batch.inputs.flatten(), batch.targets[-1, -1:]])[None]
    return _rows(batch)
