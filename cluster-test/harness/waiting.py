"""Waiting for what will be: the one place that polls."""

import time

from harness.resp import Disconnected, RespError


class Skip(Exception):
    """The scenario cannot run on this machine; the text says why."""


class TimedOut(AssertionError):
    """What was waited for did not come."""


def eventually(what, check, timeout=60.0, interval=0.02):
    """Calls `check` until it returns something true, and returns that.

    Raises TimedOut, naming `what` and the last answer, after `timeout` seconds. A lost
    connection or an error reply counts as "not yet".
    """
    end = time.monotonic() + timeout
    last = None
    while True:
        try:
            last = check()
            if last:
                return last
        except (OSError, Disconnected, RespError) as reason:
            last = reason
        if time.monotonic() >= end:
            raise TimedOut(f"not within {timeout:g} s: {what} (last: {last!r})")
        time.sleep(interval)


def holds_for(what, check, seconds, interval=0.05):
    """Asserts that `check` stays true for so long: for things that must not come back."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not check():
            raise AssertionError(f"did not stay so for {seconds:g} s: {what}")
        time.sleep(interval)
