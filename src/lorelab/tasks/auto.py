"""The task that the data's own targets ask for."""

from __future__ import annotations

from lorelab.records import DataSpec
from lorelab.tasks.classification import Classification
from lorelab.tasks.monitor import Mode
from lorelab.tasks.regression import Regression


def fitting(data: DataSpec, monitor: str | None = None, mode: Mode | None = None) -> Classification | Regression:
    """Classification for classes, regression for real values, with their own defaults.

    ``monitor`` and ``mode``: in place of the default, both or none. Raises ``ValueError`` for targets of another kind.
    """
    if data.target_kind not in ("class", "real"):
        raise ValueError(
            f"auto: the targets of '{data.name}' are of kind '{data.target_kind}', expected 'class' or 'real'; use "
            "another task"
        )
    kind = Classification if data.target_kind == "class" else Regression
    if monitor is None or mode is None:
        return kind(data)
    return kind(data, monitor=monitor, mode=mode)


fitting.__dict__.update(
    accepts_inputs=Classification.accepts_inputs & Regression.accepts_inputs,
    accepts_targets=Classification.accepts_targets | Regression.accepts_targets,
)
