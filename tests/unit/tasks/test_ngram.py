"""The n-gram baseline, against numbers worked out by hand and against the formulas on dictionaries."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from lorelab.tasks.ngram import KneserNey

LETTERS = 4


def random_rows(count, length, seed=0, letters=LETTERS):
    """Uneven and repetitive, so that counts of one, two, three and more all occur."""
    rng = np.random.default_rng(seed)
    return np.minimum(rng.geometric(0.45, (count, length)) - 1, letters - 1)


class Reference:
    """Chen & Goodman 1999, section 4.2, one probability at a time."""

    def __init__(self, rows, vocabulary, order):
        self.vocabulary = vocabulary
        grams = [Counter() for _ in range(order + 2)]
        for row in rows.tolist():
            for length in range(1, order + 2):
                grams[length].update(tuple(row[i : i + length]) for i in range(len(row) - length + 1))
        self.raw = {length: grams[length] for length in range(1, order + 1)}
        self.continued = {length: Counter(gram[1:] for gram in grams[length + 1]) for length in range(1, order)}

    def discount(self, counts, times):
        n = [sum(value == wanted for value in counts.values()) for wanted in range(5)]
        if 0 in n[1:4]:
            return 0.5
        y = n[1] / (n[1] + 2 * n[2])
        value = {1: 1 - 2 * y * n[2] / n[1], 2: 2 - 3 * y * n[3] / n[2], 3: 3 - 4 * y * n[4] / n[3]}[min(times, 3)]
        return min(max(value, 0.1), times, 3)

    def probability(self, context, token, top=True):
        length = len(context) + 1
        lower = self.probability(context[1:], token, top=False) if context else 1 / self.vocabulary
        counts = self.raw[length] if top else self.continued[length]
        following = [counts[(*context, t)] for t in range(self.vocabulary) if counts[(*context, t)]]
        if not following:
            return lower
        count = counts[(*context, token)]
        kept = count - self.discount(counts, count) if count else 0.0
        freed = sum(self.discount(counts, value) for value in following)
        return (kept + freed * lower) / sum(following)


def test_a_bigram_model_of_abab_worked_out_by_hand():
    # Bigrams ab ab ba; every count of counts is too small for the formulas, so all discounts are 0.5.
    # Continuations: one token before a, one before b: P(a) = P(b) = (1 - .5) / 2 + (.5 + .5) / 2 * 1/2 = 1/2.
    # P(b | a) = (2 - .5) / 2 + .5 / 2 * 1/2 = .875 and P(a | b) = (1 - .5) / 1 + .5 * 1/2 = .75.
    model = KneserNey(np.array([[0, 1, 0, 1]]), vocabulary=2, order=2)
    np.testing.assert_allclose(model.probabilities(np.array([[0, 1, 0]]))[0, 1:], [0.875, 0.75])
    assert model.bits(np.array([[0, 1, 0]])) == pytest.approx(-(np.log2(0.875) + np.log2(0.75)) / 2)


@pytest.mark.parametrize(("order", "rows"), [(1, (1, 60)), (2, (1, 60)), (3, (5, 40)), (4, (1, 300)), (5, (7, 60))])
def test_every_probability_is_that_of_the_formulas(order, rows):
    train, held = random_rows(*rows), random_rows(6, 9, seed=1, letters=LETTERS + 1)
    model, reference = KneserNey(train, LETTERS + 1, order), Reference(train, LETTERS + 1, order)
    expected = [
        [reference.probability(tuple(row[max(0, i - order + 1) : i]), token) for i, token in enumerate(row)]
        for row in held.tolist()
    ]
    np.testing.assert_allclose(model.probabilities(held), expected, rtol=1e-12)


def test_the_formulas_own_discounts_are_in_use():
    assert KneserNey(random_rows(1, 300), LETTERS, 4).levels[-1].raw.discount[1:] != pytest.approx([0.5] * 3)


@pytest.mark.parametrize("order", [1, 3, 5])
def test_probabilities_sum_to_one_after_any_context_seen_or_not(order):
    model = KneserNey(random_rows(3, 50), LETTERS + 1, order)
    for context in product(range(LETTERS + 1), repeat=3):
        row = np.array([[*context, token] for token in range(LETTERS + 1)])
        assert model.probabilities(row)[:, -1].sum() == pytest.approx(1)
        assert (model.probabilities(row) > 0).all()


def test_a_longer_memory_helps_where_the_text_has_one():
    text = np.tile([0, 1, 2, 0, 2, 1], 50)[None]
    bits = [KneserNey(text, 3, order).bits(text[:, :60]) for order in (1, 2, 3)]
    assert bits[0] > bits[1] + 0.3
    assert bits[1] > bits[2] + 0.3
    assert bits[2] < 0.1


def test_noise_costs_its_entropy():
    rows = np.random.default_rng(0).integers(8, size=(1, 20_000))
    assert KneserNey(rows, 8, 2).bits(np.random.default_rng(1).integers(8, size=(50, 100))) == pytest.approx(
        3, abs=0.02
    )


def test_rows_do_not_know_each_other():
    apart = KneserNey(np.array([[0, 0, 0], [1, 1, 1]]), 2, 2)
    across = KneserNey(np.array([[0, 0, 0, 1, 1, 1]]), 2, 2)
    step = np.array([[0, 1]])
    assert apart.probabilities(step)[0, 1] < across.probabilities(step)[0, 1]


def test_rows_shorter_than_the_order_are_predicted_from_what_there_is():
    model = KneserNey(random_rows(1, 100), LETTERS, 5)
    long = random_rows(1, 8)
    np.testing.assert_allclose(model.probabilities(long[:, :2]), model.probabilities(long)[:, :2])


@pytest.mark.parametrize(("shape", "order"), [((1, 3), 4), ((1, 3), 0), ((0, 3), 2)])
def test_an_order_that_does_not_fit_is_refused(shape, order):
    with pytest.raises(ValueError, match=rf"KneserNey: order={order} with rows of shape \({shape[0]}, 3\), expected"):
        KneserNey(np.zeros(shape, int), 2, order)
