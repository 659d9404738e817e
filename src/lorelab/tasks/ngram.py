"""An n-gram language model, the strong simple baseline of its field: interpolated modified Kneser–Ney on arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

_LEAST_DISCOUNT = 0.1


@dataclass(frozen=True)
class _Counts:
    """Counts of the k-grams of one level, by k-gram and by their context (the k-gram without its last token)."""

    count: np.ndarray
    total: np.ndarray
    """Per context."""
    freed: np.ndarray
    """Per context: what the discounts take from its k-grams, for the level below to share out."""
    discount: np.ndarray
    """By count, 0 to 3 and more."""

    @classmethod
    def of(cls, count: np.ndarray, context: np.ndarray, contexts: int) -> _Counts:
        discount = _discounts(count)
        taken = discount[np.minimum(count, 3)]
        total = np.bincount(context, count, contexts)
        return cls(count, total, np.bincount(context, taken, contexts), discount)

    def probability(self, gram: np.ndarray, context: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Of k-grams given their contexts, both as ids with -1 for never seen; ``lower``: of the level below."""
        count = np.where(gram >= 0, self.count[gram], 0)
        total = np.where(context >= 0, self.total[context], 0.0)
        kept = count - self.discount[np.minimum(count, 3)]
        known = np.maximum(total, 1.0)
        return np.where(total > 0, (kept + self.freed[context] * lower) / known, lower)


@dataclass(frozen=True)
class _Level:
    """All k-grams of one length: their id is their place in ``codes``, sorted."""

    codes: np.ndarray
    """Id of the context × vocabulary + last token."""
    raw: _Counts
    """How often each occurs."""
    continuation: _Counts | None = None
    """How many different tokens precede each; None at the highest level."""


class KneserNey:
    """Interpolated Kneser–Ney with three discounts per level (Chen & Goodman 1999, "modified"), down to the uniform
    distribution over ``vocabulary`` tokens, so no token is impossible.

    ``rows`` ``(N, L)``: integer tokens in [0, ``vocabulary``), sequences that do not know each other. ``order``: tokens
    in the longest n-gram. Where a row has fewer tokens before a place than ``order - 1``, the model of that shorter
    order predicts, with raw counts at its highest level. Discounts come from the counts of counts; where these are too
    few for the formulas, all three are 0.5.

    Raises:
        ValueError: an order below 1, or rows too short for it.
    """

    def __init__(self, rows: np.ndarray, vocabulary: int, order: int) -> None:
        if order < 1 or rows.shape[1] < order or not len(rows):
            raise ValueError(
                f"KneserNey: order={order} with rows of shape {rows.shape}, expected an order of at least 1 and rows "
                "at least as long"
            )
        self.vocabulary = vocabulary
        self.levels: list[_Level] = []
        ids, contexts = np.zeros((len(rows), rows.shape[1] + 1), np.int64), 1  # of the (k-1)-gram before each place
        for length in range(1, order + 1):
            code = ids[:, :-1] * vocabulary + rows[:, length - 1 :]
            codes, first, inverse, raw = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
            if self.levels:  # a k-gram without its first token is the (k-1)-gram that ends at the same place
                self._continue(ids[:, 1:].ravel()[first])
            self.levels.append(_Level(codes, _Counts.of(raw, codes // vocabulary, contexts)))
            ids, contexts = inverse.reshape(code.shape), len(codes)

    def _continue(self, suffixes: np.ndarray) -> None:
        """Completes the last level with the k-grams by which the distinct ones of the next level end."""
        last = self.levels[-1]
        count = np.bincount(suffixes, minlength=len(last.codes))
        continuation = _Counts.of(count, last.codes // self.vocabulary, len(last.raw.total))
        self.levels[-1] = replace(last, continuation=continuation)

    def probabilities(self, rows: np.ndarray) -> np.ndarray:
        """Of each token of ``rows`` ``(N, L)`` given those before it in its row: ``(N, L)`` float64 in (0, 1]."""
        chosen = lower = np.full(rows.shape, 1 / self.vocabulary)
        ids = np.zeros((len(rows), rows.shape[1] + 1), np.int64)
        for length, level in enumerate(self.levels, start=1):
            context, gram = ids[:, :-1], self._look_up(level, ids[:, :-1], rows[:, length - 1 :])
            # From here on columns count from the first place that has ``length - 1`` tokens before it.
            below = lower if length == 1 else lower[:, 1:]
            chosen = chosen.copy()
            chosen[:, length - 1 :] = level.raw.probability(gram, context, below)
            if level.continuation is not None:
                lower = level.continuation.probability(gram, context, below)
            ids = gram
        return chosen

    def bits(self, rows: np.ndarray) -> float:
        """Mean of -log2 of the probability of each token but the first of its row, given those before it."""
        return float(-np.log2(self.probabilities(rows)[:, 1:]).mean())

    def _look_up(self, level: _Level, context: np.ndarray, token: np.ndarray) -> np.ndarray:
        """Ids of the k-grams, -1 where never seen."""
        code = context * self.vocabulary + token
        place = np.searchsorted(level.codes, code).clip(max=len(level.codes) - 1)
        return np.where((context >= 0) & (level.codes[place] == code), place, -1)


def _discounts(count: np.ndarray) -> np.ndarray:
    """What to take from a k-gram seen 0, 1, 2, 3 or more times (Chen & Goodman 1999, eq. 26), at most that often."""
    one, two, three, four = (int((count == times).sum()) for times in (1, 2, 3, 4))
    if not (one and two and three):
        return np.array([0, 0.5, 0.5, 0.5])
    share = one / (one + 2 * two)
    estimates = [1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three]
    # A discount of 0 would leave nothing for what was never seen.
    return np.array([0.0, *np.clip(estimates, _LEAST_DISCOUNT, [1, 2, 3])])
