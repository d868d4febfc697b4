"""Resolves names with the resolver of the operating system, within a time limit."""

import socket
import threading

from aggregator.model.errors import FetchError, TooManyFilesError

_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


def system_resolve(name: str, port: int, seconds: float) -> list[str]:
    """Return all addresses of a name in the system's order. Raise FetchError("dns") if there is no answer in time.

    The C library's resolver cannot be interrupted, so it runs in a thread of its own. A thread that is late is
    abandoned, and ends after the resolver's own timeout (resolv.conf).
    """
    outcome: list[list[str] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(
                name, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
            outcome.append(list(dict.fromkeys(str(answer[4][0]) for answer in answers)))
        except (OSError, UnicodeError) as error:
            outcome.append(error)

    thread = threading.Thread(target=ask, name="resolve", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise FetchError("dns", f"no answer for {name} within {seconds:.0f} s")
    (answer,) = outcome
    if isinstance(answer, list):
        return answer
    # The C library reports another error when no file descriptor is free.
    try:
        socket.socket().close()
    except OSError as error:
        if TooManyFilesError.is_behind(error):
            raise TooManyFilesError from error
    if isinstance(answer, UnicodeError) or answer.errno in _NO_SUCH_NAME:
        words = "there is no such name"
    elif answer.errno == socket.EAI_AGAIN:
        words = "no name server answers at the moment"
    else:
        words = answer.strerror or "the name cannot be looked up"
    raise FetchError("dns", f"{name}: {words}")
