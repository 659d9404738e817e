"""Timings of Lorelab as ratios against named peers: run by hand (``make bench``), reported, never asserted on."""
