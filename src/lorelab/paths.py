"""Where things lie: the checkout, its configs. Lorelab is a research repository and runs from an editable install."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
CONF = ROOT / "conf"
