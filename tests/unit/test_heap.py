"""Freed memory stays with the process where glibc can be told so."""

import os
import subprocess
import sys

import pytest

from lorelab.heap import keep_freed_memory

FAULTS = """
import resource
from lorelab.heap import keep_freed_memory
kept = keep_freed_memory()
bytearray(100_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(100_000_000)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 100_000_000 // os.sysconf("SC_PAGE_SIZE")


def faults(code: str = FAULTS, **environment: str) -> tuple[bool, int]:
    """Whether memory is kept in a new process, and how many pages it is given when it asks for 100 MB again."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MALLOC_", "GLIBC_"))}
    told = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, check=True
    )
    kept, count = told.stdout.split()
    return kept == "True", int(count)


def test_what_was_freed_is_used_again() -> None:
    kept, count = faults()
    if not kept:
        pytest.skip("not glibc")
    assert count < PAGES / 100


def test_what_is_free_can_be_given_back() -> None:
    code = FAULTS.replace("before =", "from lorelab.heap import give_back; give_back(); before =", 1)
    kept, count = faults(code)
    if not kept:
        pytest.skip("not glibc")
    assert count > PAGES / 2


def test_an_environment_that_tunes_the_allocator_is_left_alone() -> None:
    assert not faults(MALLOC_ARENA_TEST="8")[0]
    assert not faults(GLIBC_TUNABLES="glibc.malloc.arena_test=8")[0]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.confstr", lambda name: None)
    assert not keep_freed_memory()
