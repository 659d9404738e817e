"""The moment of the first optimiser step, written by a callback that any config can name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback


class FirstStep(Callback):
    """Writes the time of day and the processor time of the process, in seconds, to ``path`` when the first training
    batch is done, and never again."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_batch_end(self, *_: Any) -> None:
        if not self.path.exists():
            self.path.write_text(f"{time.time()!r} {time.process_time()!r}", encoding="utf-8")
