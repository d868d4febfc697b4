"""The console script, and `python -m aggregator`."""

import os

_INTERRUPTED = 130


def main() -> None:
    """Run the command line. Ctrl-C before the modules are loaded ends the process without a traceback."""
    try:
        import signal

        # Commands that a shell script starts with `&` ignore the signal, and this process must not change that.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            # Not KeyboardInterrupt, because an import may swallow it
            signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
    # Pydantic would read the metadata of every installed package to look for plugins, and none are used.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from aggregator.config.memory import collect_garbage_seldom

    collect_garbage_seldom()  # imports make many objects, which all stay
    from aggregator.cli.application import main as run

    run()


if __name__ == "__main__":
    main()
