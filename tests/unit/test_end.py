"""How the process ``lorelab`` ends."""

import subprocess
import sys

BEFORE = "import atexit, sys, threading, time, lorelab.__main__ as own\natexit.register(print, 'last')\n"


def ended(code: str) -> tuple[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", BEFORE + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr
    return done.stdout, done.returncode


def test_what_was_printed_and_what_is_to_be_done_at_the_end_is_not_lost() -> None:
    assert ended("own.main = lambda: print('said') or 1\nown.run()") == ("said\nlast\n", 1)


def test_a_thread_that_is_at_work_is_waited_for() -> None:
    work = "def work():\n    time.sleep(0.3)\n    print('worked')\n"
    assert ended(f"{work}own.main = lambda: threading.Thread(target=work).start() or 0\nown.run()") == (
        "worked\nlast\n",
        0,
    )


def test_after_a_signal_nothing_is_waited_for() -> None:
    waiting = "threading.Thread(target=threading.Event().wait).start()"
    assert ended(f"own.main = lambda: {waiting} or 130\nown.run()") == ("", 130)
