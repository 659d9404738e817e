"""Every study in ``conf/study`` is declared whole at every scale, and its exact claims can be found."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from lorelab.cli import study_design
from lorelab.cli.study_identities import differences, flaws
from lorelab.errors import ConfigError
from lorelab.studies.evidence import Evidence
from lorelab.studies.exact import Proven, prove
from lorelab.studies.spec import SCALES, Identity, Study

FILES = sorted(study_design.STUDIES.glob("*.yaml"))


def parts(study: Study) -> list[Study]:
    """Every task with the first arm, and every other arm with the first task: each override once."""
    first_task, (first_arm, *others) = next(iter(study.tasks)), study.arms
    found = [replace(study, arms={first_arm: study.arms[first_arm]})]
    if others:
        found.append(
            replace(study, tasks={first_task: study.tasks[first_task]}, arms={n: study.arms[n] for n in others})
        )
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "scale", [scale if scale == "laptop" else pytest.param(scale, marks=pytest.mark.slow) for scale in SCALES]
)
def test_a_study_composes_and_validates(path: Path, scale: str) -> None:
    study = study_design.load(path, scale)
    for part in parts(study):
        study_design.check(part)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@pytest.mark.parametrize("scale", SCALES)
def test_a_study_composes_and_validates_every_arm_on_every_task(path: Path, scale: str) -> None:
    study_design.check(study_design.load(path, scale))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_arms_kinds_and_margins_are_the_same_at_every_scale(path: Path) -> None:
    smoke, laptop, full = (study_design.load(path, scale) for scale in SCALES)
    for other in (smoke, full):
        assert [(claim.kind, claim.a, claim.b, claim.margins) for claim in other.claims] == [
            (claim.kind, claim.a, claim.b, claim.margins) for claim in laptop.claims
        ]
        assert {name: arm.overrides for name, arm in other.arms.items()} == {
            name: arm.overrides for name, arm in laptop.arms.items()
        }
        assert [task.margin for task in other.tasks.values()] == [task.margin for task in laptop.tasks.values()]
    assert laptop.looks[0] >= 10


@pytest.mark.parametrize(
    "path",
    ["lorelab.identities.softmax_ofset", "lorelab.identities.softmax.torch.hub.load", "os.system"],
)
def test_an_identity_is_a_function_of_ours_or_of_a_trusted_module(path: str, tmp_path: Path) -> None:
    claim = {"name": "exactly", "kind": "exact", "identity": path, "says": "It holds.",
             "tolerances": {"float64": 1e-12, "float32": 1e-5}}  # fmt: skip
    plain = yaml.safe_load((study_design.STUDIES / "demo.yaml").read_text(encoding="utf-8"))
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(plain | {"claims": [*plain["claims"], claim]}), encoding="utf-8")
    study = study_design.load(file, "smoke")
    assert [problem.where for problem in flaws(study)] == ["study mine: claims.exactly.identity"]
    with pytest.raises(ConfigError, match=r"claims\.exactly\.identity"):
        study_design.check(study)


def test_a_check_compares_verdicts_and_numbers_and_leaves_rounding_to_the_machine() -> None:
    identity = Identity("rounds", "It holds.", "lorelab.identities.softmax_offset", {"float64": 1e-12, "float32": 1e-5})

    def found(deviation: float, number: float) -> Proven:
        each = np.array([deviation])
        return prove(identity, Evidence({"float64": each, "float32": each}, {"n": number}))

    before = found(1e-13, 150.0)
    assert list(differences((before,), (found(2e-13, 150.0),))) == []
    assert list(differences((before,), (found(1e-11, 151.0),))) == [
        "identities.rounds: verdict.json has supported, recomputed refuted",
        "identities.rounds, n: verdict.json has 150, recomputed 151",
    ]
