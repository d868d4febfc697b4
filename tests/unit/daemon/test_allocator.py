"""What the C library keeps: looked at from outside, in a process of its own."""

import platform
import sys

import pytest

from tests.support.programs import run_program

# Twenty threads hold and free memory at once; then the arenas are counted in what malloc_info writes.
_PROGRAM = """
import ctypes, sys, threading
from aggregator.config.memory import set_malloc_options
if sys.argv[1] == "with":
    assert set_malloc_options()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
together = threading.Barrier(20)
def work():
    together.wait()
    held = [libc.malloc(3000) for _ in range(300)]
    together.wait()
    for one in held:
        libc.free(one)
threads = [threading.Thread(target=work) for _ in range(20)]
[one.start() for one in threads]
[one.join() for one in threads]
libc.stdout = ctypes.c_void_p.in_dll(libc, "stdout")
libc.malloc_info(0, libc.stdout)
libc.fflush(libc.stdout)
"""


def arenas(how: str) -> int:
    said = run_program([sys.executable, "-c", _PROGRAM, how], check=True)
    return said.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_threads_share_few_arenas() -> None:
    assert arenas("with") <= 2 < arenas("without")
