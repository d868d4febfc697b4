"""A news aggregator daemon that keeps one story per event."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("aggregator")
except PackageNotFoundError:  # a checkout on the path without an install
    __version__ = "0+unknown"
