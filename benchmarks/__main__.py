"""`python -m benchmarks NAME` runs one benchmark; without a name, as in `make bench`, it runs several in turn.

The docstring of each file says what it measures and how.
"""

import runpy
import sys

FILES = ("throughput", "extraction", "start")


def run(name: str, *arguments: str) -> None:
    """Run one measurement as a program."""
    sys.argv = [name, *arguments]
    runpy.run_module(f"benchmarks.{name}", run_name="__main__")


if len(sys.argv) > 1:
    run(*sys.argv[1:])
else:
    for file in FILES:
        print(f"== {file}")
        run(file)
    print("== copies (a slice; python -m benchmarks.copies for all)")
    run("copies", "--articles", "150")
