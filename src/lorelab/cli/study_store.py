"""The run in the store that stands for a whole study: the sweeps that train for it are its children, its verdicts are
tags, its report lies with it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from omegaconf import OmegaConf

from lorelab.cli.study_design import Grounds
from lorelab.config.trust import instantiate
from lorelab.errors import StoreError
from lorelab.records import RunRecord, RunStart, RunStatus
from lorelab.studies.folder import Frozen
from lorelab.studies.judge import Judged
from lorelab.studies.spec import Study
from lorelab.tracking.protocol import Tracker

CLOSING_SECONDS = 3.0
"""What closing may take after a signal."""


class StudyRun:
    """Open while a study is at work; the same run again when the same declaration is started again."""

    def __init__(self, study: Study, grounds: Grounds, declared: str, about: str) -> None:
        """``declared``: the YAML; ``about``: the name under which it runs."""
        self.tracker: Tracker = instantiate(OmegaConf.create(dict(grounds.tracker)))
        self.name = f"study-{about}"
        start = RunStart(
            name=self.name,
            params={
                "study": about,
                "scale": study.scale,
                "seeds": ", ".join(map(str, study.looks)),
                "arms": ", ".join(study.arms),
                "tasks": ", ".join(study.tasks),
            },
            tags={"lorelab.kind": "study", "lorelab.study": about, "lorelab.question": study.question},
            files={"study.yaml": declared},
        )
        digest = hashlib.sha256(json.dumps([declared, study.scale, dict(grounds.tracker)]).encode()).hexdigest()[:8]
        kept = grounds.outputs / "studies" / about / f"run-{digest}.txt"
        before = kept.read_text(encoding="utf-8").strip() if kept.is_file() else ""
        try:
            self.run_id = self.tracker.start(replace(start, resume=before))
        except StoreError:
            if not before:
                raise
            self.run_id = self.tracker.start(start)  # it was begun on another store
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(self.run_id, encoding="utf-8")
        self._begun = time.monotonic()

    def decided(self, frozen: Frozen, judged: Sequence[Judged], files: Sequence[Path]) -> None:
        """Stores the verdicts as tags, ``lorelab.verdict`` all of them in one, and the files."""
        tags = {f"lorelab.verdict.{each.claim.name}": str(each.overall.verdict) for each in judged}
        tags |= {f"lorelab.verdict.{name}": str(each["verdict"]) for name, each in frozen.identities.items()}
        tags["lorelab.verdict"] = "; ".join(f"{key.split('.', 2)[2]}: {verdict}" for key, verdict in tags.items())
        self.tracker.tag(tags | {"lorelab.seeds": str(frozen.seeds)})
        self.tracker.log({f"effect/{each.claim.name}": each.overall.estimate for each in judged}, frozen.seeds)
        for file in files:
            self.tracker.artifact(file)

    def close(self, status: RunStatus, error: str | None = None) -> None:
        """Ends the run in the store."""
        seconds = time.monotonic() - self._begun
        record = RunRecord(self.run_id, self.name, status, "", "max", seconds=seconds, error=error)
        self.tracker.finish(record, CLOSING_SECONDS if status is RunStatus.KILLED else None)


@contextmanager
def study_run(study: Study, grounds: Grounds, declared: str, about: str) -> Iterator[StudyRun]:
    """Open inside; closed as finished, failed or, by a signal, killed."""
    run = StudyRun(study, grounds, declared, about)
    try:
        yield run
    except Exception as error:
        run.close(RunStatus.FAILED, str(error))
        raise
    except BaseException as stop:
        run.close(RunStatus.KILLED, str(stop))
        raise
    run.close(RunStatus.FINISHED)
