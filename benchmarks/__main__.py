"""``python -m benchmarks [NAME ...] [--rounds N]``: runs the named benchmarks, or all of them."""

from __future__ import annotations

import argparse
import importlib
import time

from benchmarks.report import write

BENCHMARKS = {
    "step": "one optimiser step against a hand-written PyTorch loop, and what each layer above it adds",
    "shortcuts": "what the Learner's private overrides of Lightning's hooks save",
    "startup": "from the command to the first step against importing the libraries alone",
    "epoch": "one epoch against per-example transforms in a DataLoader with Lightning's defaults",
    "lasting": "what logging, heartbeats and checkpoints to go on from cost a run; and strict reproducibility",
    "stacked": "whole sweeps of 32 runs: one by one, by two workers, stacked, auto",
    "whole": "the whole process, one epoch and test, against the same peer",
}


def main() -> None:
    """Each benchmark takes one to three minutes; close other programs first, as its noise is theirs."""
    listed = "\n".join(f"  {name:<10} {about}" for name, about in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        "python -m benchmarks", epilog=listed, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--rounds", type=int, help="instead of each benchmark's own number")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are:\n{listed}")
    for name in options.names or BENCHMARKS:
        begun = time.monotonic()
        module = importlib.import_module(f"benchmarks.{name}")
        comparisons, notes = module.measure(options.rounds or module.ROUNDS)
        print(f"\n# {name}\n\n{write(name, comparisons, notes)}\n\n({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
