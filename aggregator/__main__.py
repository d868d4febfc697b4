"""The console script, and `python -m aggregator`."""

import os

_INTERRUPTED = 130


def main() -> None:
    """Run the command line. Ctrl-C while it is loaded ends the process without a word."""
    try:
        import signal

        # nohup, for one, ignores it
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Not KeyboardInterrupt: an import may lose it.
            signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
    # No plugin of Pydantic reads the settings; to look for one reads the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from aggregator.config.memory import collect_garbage_seldom

    collect_garbage_seldom()  # what is loaded from here on stays
    from aggregator.cli.application import main as run

    run()


if __name__ == "__main__":
    main()
