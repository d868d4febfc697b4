"""Jobs that misbehave on purpose, to prove on the machine at hand that the workers' limits bite.

`aggregator doctor` and the tests run them; nothing else does.
"""

import ctypes
import os
import signal
import sys
import time


def echo(job: bytes) -> bytes:
    """The bytes as they came."""
    return job


def process_id(_job: bytes) -> bytes:
    """The worker's process id, in decimal."""
    return str(os.getpid()).encode()


def sleep(job: bytes) -> bytes:
    """Wait as many seconds as `job` says in decimal, then return it."""
    time.sleep(float(job))
    return job


def spin(_job: bytes) -> bytes:
    """Burn the processor for ever, as a regular expression can."""
    while True:
        pass


def swell(job: bytes) -> bytes:
    """Take as many bytes of memory as `job` says in decimal, and return how many were had."""
    taken = bytearray(int(job))
    return str(len(taken)).encode()


def crash(_job: bytes) -> bytes:
    """Read address 0: what a fault in a C library looks like."""
    return ctypes.string_at(0)


def be_killed(job: bytes) -> bytes:
    """Die as when the kernel is short of memory: at once, by a signal that nobody can catch."""
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def chatter(job: bytes) -> bytes:
    """Print to both standard streams, through Python and past it, then return the bytes."""
    sys.stdout.write("noise\n" * 1000)
    sys.stdout.flush()
    os.write(1, b"noise")
    os.write(2, b"noise")
    return job


def fail(job: bytes) -> bytes:
    """Raise ValueError with the given text."""
    raise ValueError(job.decode("utf-8", "replace"))


def environment(_job: bytes) -> bytes:
    """The names of the environment variables that a worker sees, one a line, sorted."""
    return "\n".join(sorted(os.environ)).encode()


def modules(_job: bytes) -> bytes:
    """The names of the loaded modules, one a line, sorted."""
    return "\n".join(sorted(sys.modules)).encode()
