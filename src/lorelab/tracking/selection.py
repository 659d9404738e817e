"""Finding runs by what they say of themselves: names of parameters and tags, and equality of their values."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from lorelab.errors import StoreError, nearest
from lorelab.tracking.protocol import StoredRun

ATTRIBUTES = ("status", "name", "run_id")
SHORT_TAGS = ("sweep", "study", "arm", "search", "trial", "confirms", "signature", "kind", "parent")
"""Our own tags that may be written without ``lorelab.``: no parameter has these names."""


def tag_name(key: str) -> str | None:
    """The tag that ``key`` surely means: ``sweep`` → ``lorelab.sweep``; None if it may be a parameter."""
    if key.startswith("tags."):
        return key.removeprefix("tags.")
    if key in SHORT_TAGS:
        return f"lorelab.{key}"
    return key if key.startswith(("lorelab.", "mlflow.")) else None


OF_SOME = {
    "lorelab.arm", "lorelab.confirms", "lorelab.diverged_at", "lorelab.reason", "lorelab.resumed",
    "lorelab.share_seconds", "lorelab.stacked", "lorelab.study", "lorelab.trial",
}  # fmt: skip
"""Tags that are known though none of the runs at hand may have them."""


def lookup(run: StoredRun, key: str) -> str | None:
    """What ``run`` says of ``key``: an attribute, a tag that ``key`` surely means, a parameter, or else a tag."""
    if key in ATTRIBUTES:
        return str(getattr(run, key))
    if (tag := tag_name(key)) is not None:
        return run.tags.get(tag)
    return run.params.get(key, run.tags.get(key, run.tags.get(f"lorelab.{key}")))


def matches(run: StoredRun, key: str, value: str) -> bool:
    """Whether ``run`` says ``value`` of ``key``. Numbers are equal as numbers (``1e-2`` is ``0.01``), and the config's
    words regardless of case (``true`` is ``True``, ``null`` is ``None``)."""
    found = lookup(run, key)
    return found is not None and (found == value or _plain(found) == _plain(value))


def known_names(runs: Sequence[StoredRun]) -> list[str]:
    """Every name that ``lookup`` would find in one of ``runs``, or in others."""
    names = {name for run in runs for name in (*run.params, *run.tags)} | OF_SOME
    short = {name.removeprefix("lorelab.") for name in names if name.startswith("lorelab.")}
    return sorted(names | short | set(ATTRIBUTES))


def require_names(names: Sequence[str], runs: Sequence[StoredRun], where: str, also: Collection[str] = ()) -> None:
    """Raises ``StoreError`` for the first of ``names`` that no run knows; ``where`` is where it was written.

    ``also`` are further names to suggest.
    """
    known = [*known_names(runs), *also]
    for name in names:
        if (tag_name(name) or name) not in known:
            params = [found for found in known if not found.startswith(("lorelab.", "mlflow."))]
            raise StoreError(
                f"{where} '{name}': no parameter or tag of this name in {len(runs)} runs; {nearest(name, params)}"
            )


def _plain(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        word = text.strip().lower()
        return "none" if word == "null" else word if word in {"true", "false", "none"} else text
