import signal
import subprocess
import sys
import time

import pytest

from lorelab.training.interrupts import Interrupted, interruptible


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_an_exception_with_the_shells_exit_code(signum: signal.Signals) -> None:
    before = signal.getsignal(signum)
    with pytest.raises(Interrupted, match=f"stopped by {signum.name}") as caught, interruptible():
        signal.raise_signal(signum)
    assert caught.value.exit_code == 128 + signum
    assert signal.getsignal(signum) is before


def test_no_handler_of_exceptions_swallows_it() -> None:
    assert not issubclass(Interrupted, Exception)
    assert not issubclass(Interrupted, KeyboardInterrupt)


def test_a_second_signal_ends_the_process_at_once() -> None:
    code = """
import time
from lorelab.training.interrupts import Interrupted, interruptible
with interruptible():
    try:
        print("ready", flush=True); time.sleep(30)
    except Interrupted:
        print("closing", flush=True); time.sleep(30)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "closing\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 128 + signal.SIGINT
    assert time.monotonic() - begun < 5
