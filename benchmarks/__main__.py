"""`make bench`: all measurements, one after the other. Each file says what it measures and how."""

import runpy
import sys

FILES = ("benchmarks.throughput", "benchmarks.extraction", "benchmarks.start")

for name in FILES:
    print(f"== {name.removeprefix('benchmarks.')}")
    sys.argv = [name]
    runpy.run_module(name, run_name="__main__")
print("== copies (a slice; python -m benchmarks.copies for all)")
sys.argv = ["benchmarks.copies", "--articles", "150"]
runpy.run_module("benchmarks.copies", run_name="__main__")
