"""Timings of Lorelab as ratios against named peers: run by hand (``make bench``), reported, never asserted on."""

import os

os.environ.setdefault("LORELAB_TRUST", "benchmarks")  # its clock is a callback
