"""Waiting for what comes by itself: no test sleeps for a time in which something should have happened."""

import time


def until(condition, seconds: float = 60, what: str = ""):
    """What `condition` returns once that is true; AssertionError after `seconds`, with `what` was waited for.
    The default is no promise of anybody's: it only ends a test that waits in vain. Where the contract names a
    time, it is given."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s" + (f": {what}" if what else "")
        time.sleep(0.02)
    return value
