"""``python -m benchmarks [NAME ...] [--rounds N]``: runs the named benchmarks, or all of them."""

from __future__ import annotations

import argparse
import importlib
import time

from benchmarks.parts import ACCELERATOR
from benchmarks.report import write

BENCHMARKS = {
    "step": "one optimiser step against a hand-written PyTorch loop, and what each layer above it adds",
    "shortcuts": "what the Learner's private overrides of Lightning's hooks save",
    "startup": "from the command to the first step against importing the libraries alone",
    "epoch": "one epoch against per-example transforms in a DataLoader with Lightning's defaults",
    "lasting": "what logging, heartbeats and checkpoints to go on from cost a run; and strict reproducibility",
    "options": "what fused optimisers, torch.compile and channels-last do to a step",
    "heap": "what it saves that freed memory stays with the process",
    "stacked": "whole sweeps of 32 runs: one by one, by two workers, stacked, auto",
    "sizes": "a step of N runs trained as one, N from 1 to 256",
    "whole": "the whole process, one epoch and test, against the same peer",
}
ON_A_GPU = {"sizes", "stacked"}
SETS = {"single": ("step", "options", "whole")}
"""Names for several: of one run, its steps by part and with what options, and all of it against the peer."""


def main() -> None:
    """Each benchmark takes one to three minutes; close other programs first, as its noise is theirs."""
    sets = {name: f"of one run: {', '.join(members)}" for name, members in SETS.items()}
    listed = "\n".join(f"  {name:<10} {about}" for name, about in (BENCHMARKS | sets).items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks", epilog=listed, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--rounds", type=int, help="instead of each benchmark's own number")
    options = parser.parse_args()
    names = [each for name in options.names or BENCHMARKS for each in SETS.get(name, (name,))]
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are:\n{listed}")
    if ACCELERATOR != "cpu" and (unfit := sorted(set(names) - ON_A_GPU)):
        parser.error(f"{', '.join(unfit)}: on the CPU only; on a GPU there are {', '.join(sorted(ON_A_GPU))}")
    for name in names:
        begun = time.monotonic()
        module = importlib.import_module(f"benchmarks.{name}")
        comparisons, notes = module.measure(options.rounds or module.ROUNDS)
        print(f"\n# {name}\n\n{write(name, comparisons, notes)}\n\n({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
