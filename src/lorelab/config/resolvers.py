"""Interpolations that ``conf/`` uses: ``${lorelab.root:}`` and ``${lorelab.stamp:}``."""

from __future__ import annotations

import secrets
from datetime import datetime

from omegaconf import OmegaConf

from lorelab.paths import ROOT


def _stamp() -> str:
    """Date, time and four random hex digits, because two launches in the same second must not share a folder."""
    return f"{datetime.now():%Y-%m-%d/%H-%M-%S}-{secrets.token_hex(2)}"


def register_resolvers() -> None:
    """Makes the interpolations known to OmegaConf; safe to call again."""
    OmegaConf.register_new_resolver("lorelab.root", lambda: str(ROOT), replace=True)
    OmegaConf.register_new_resolver("lorelab.stamp", _stamp, use_cache=True, replace=True)
