"""``lorelab rerun``: trains a stored run again from its record alone and says whether it was repeated."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from lorelab.cli.resume import apply_overrides
from lorelab.config.origin import Origin
from lorelab.errors import LorelabError, StoreError
from lorelab.paths import ROOT
from lorelab.records import RunStatus
from lorelab.tracking.repeat import Agreement, Compared, compare_metrics, overall, provenance_differences, seed_siblings

if TYPE_CHECKING:
    from lorelab.tracking.mlflow_store import MLflowStore
    from lorelab.tracking.protocol import StoredRun

EXIT = {Agreement.IDENTICAL: 0, Agreement.WITHIN: 10, Agreement.DIFFERENT: 11}
WORKTREES = ROOT / "outputs" / "worktrees"


def main(argv: Sequence[str]) -> int:
    """Exit code 0: every metric identical; 10: within the seed-to-seed spread; 11: different; 2: refused."""
    from lorelab.config.resolvers import register_resolvers
    from lorelab.tracking.mlflow_store import MLflowStore

    args = _parser().parse_intermixed_args(argv)
    register_resolvers()
    store = MLflowStore(experiment=None)
    run = store.get(args.run)
    if kind := run.tags.get("lorelab.kind"):
        raise LorelabError(f"rerun: {run.name} is a run of lorelab {kind}; expected one of lorelab train.")
    if run.status not in (RunStatus.FINISHED, RunStatus.DIVERGED):
        raise LorelabError(f"rerun: {run.name} is {run.status}; expected a run that ended with a result (resume=RUN?).")
    with tempfile.TemporaryDirectory(prefix="lorelab-") as folder:
        if args.worktree:
            return _in_worktree(store, run, Path(folder), args.overrides)
        before = json.loads(_artifact(store, run, "provenance/provenance.json", Path(folder)).read_text("utf-8"))
        cfg = OmegaConf.load(_artifact(store, run, "config/resolved.yaml", Path(folder)))
    assert isinstance(cfg, DictConfig)
    return _again(store, run, cfg, before, args.overrides)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "lorelab rerun",
        description="Trains a stored run again from its record and compares, metric by metric.",
        epilog="Exit status: 0 identical, 10 within the seed-to-seed spread, 11 different, 2 refused.",
    )
    parser.add_argument("run", help="id, id prefix or name")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. data.root=...")
    parser.add_argument("--worktree", action="store_true", help="with the recorded commit's code, below outputs/")
    return parser


def _again(
    store: MLflowStore, run: StoredRun, cfg: DictConfig, before: Mapping[str, Any], overrides: Sequence[str]
) -> int:
    import torch

    from lorelab.cli.launch import launch
    from lorelab.training.provenance import capture

    cfg.paths = {"root": str(ROOT), "outputs": str(ROOT / "outputs")}
    cfg.tracker.uri, cfg.tags = store.uri, {}
    apply_overrides(cfg, overrides)
    differences = provenance_differences(before, capture(ROOT).to_dict() | {"threads": before.get("threads")})
    for line in differences:
        print(f"  differs: {line}")
    if before.get("commit") != capture(ROOT).commit:
        print("  the recorded code can be checked out and run with --worktree")
    torch.set_num_threads(int(before.get("threads") or torch.get_num_threads()))  # sums of floats hang on it
    groups = ("experiment", "data", "augment", "corruption", "task", "model", "optimizer", "scheduler")
    origin = Origin(choices={group: run.params.get(group) for group in groups})
    record = launch(cfg, origin, tags={"lorelab.rerun_of": run.run_id}, force=True)
    store.tag(run.run_id, {"lorelab.rerun": record.run_id})
    again = store.get(record.run_id)
    siblings = seed_siblings(run, store.runs(filters={"status": "finished"}, limit=10_000))
    over_seeds = {name: [s.metrics[name] for s in siblings if name in s.metrics] for name in run.metrics}
    for what in ("code", "data_fingerprint", "weights"):
        if (old := run.tags.get(f"lorelab.{what}")) != (new := again.tags.get(f"lorelab.{what}")):
            print(f"  differs: {what}: {old} → {new}")
    compared = compare_metrics(run.metrics, again.metrics, over_seeds)
    _show(compared, len(siblings))
    verdict = overall(compared) if again.status == run.status else Agreement.DIFFERENT
    print(f"\n{again.name} against {run.name}: {verdict} ({run.status} before, {again.status} now)")
    return EXIT[verdict]


def _show(compared: Sequence[Compared], seeds: int) -> None:
    from lorelab.cli.runs import empty_table, show

    table = empty_table(["metric", "before", "again", "sd over seeds", "verdict"], right=["before", "again"])
    for each in compared:
        values = [repr(value) if value is not None else "–" for value in (each.before, each.again)]
        spread = f"{each.spread:.3g} (n = {seeds})" if each.spread is not None else f"unknown (n = {seeds})"
        table.add_row(each.name, *values, spread, str(each.agreement))
    show(table)


def _artifact(store: MLflowStore, run: StoredRun, path: str, folder: Path) -> Path:
    try:
        return store.download(run.run_id, path, folder)
    except StoreError as error:
        raise LorelabError(f"rerun: {run.name} has no {path}; expected a run of `lorelab train` ({error})") from error


def _in_worktree(store: MLflowStore, run: StoredRun, folder: Path, overrides: Sequence[str]) -> int:
    commit = run.tags.get("lorelab.commit", "")
    clean = commit.removesuffix("+dirty")
    if not clean:
        raise LorelabError(f"rerun: {run.name} was not run from a git checkout; expected a recorded commit.")
    name = run.run_id[:12] if clean != commit else clean[:12]
    place = WORKTREES / name
    if not place.is_dir():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", str(place), clean)
        if clean != commit:
            patch = _artifact(store, run, "provenance/uncommitted.patch", folder)
            _git("-C", str(place), "apply", "--whitespace=nowarn", str(patch.absolute()))
    print(f"{run.name}: with the code of {commit} in {place}", flush=True)
    command = [sys.executable, "-m", "lorelab", "rerun", run.run_id, *overrides]
    code = {"PYTHONPATH": str(place / "src"), "MLFLOW_TRACKING_URI": store.uri}
    return subprocess.run(command, cwd=place, env=os.environ | code, check=False).returncode


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LorelabError(f"rerun: git {' '.join(arguments)} failed: {done.stderr.strip()}")
