"""A news aggregator daemon that keeps one story per event."""


def __getattr__(name: str) -> str:
    """`__version__`, looked up when somebody asks: that costs every command 30 ms otherwise."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("aggregator")
    except PackageNotFoundError:  # a checkout on the path without an install
        return "0+unknown"
