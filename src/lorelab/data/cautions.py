"""What is suspicious about data and yet no error: said as a warning, and kept in the record for the summary."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from lorelab.data.splits import DataSplits


class DataWarning(UserWarning):
    """Something about the data that may make a result worthless; ``lorelab data summary`` shows it again."""


def with_facts(splits: DataSplits, cautions: Sequence[str] = (), **schema: object) -> DataSplits:
    """``splits`` whose record also has ``schema`` (plain values) and, as ``schema["cautions"]``, the ``cautions``; each
    of those is issued as a ``DataWarning`` too."""
    for caution in cautions:
        warnings.warn(f"{splits.record.source}: {caution}", DataWarning, stacklevel=2)
    facts = {**splits.record.schema, **schema} | ({"cautions": list(cautions)} if cautions else {})
    return replace(splits, record=replace(splits.record, schema=facts))
