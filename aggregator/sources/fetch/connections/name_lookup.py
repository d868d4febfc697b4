"""Looks names up with the resolver of the operating system, within a time."""

import socket
import threading

from aggregator.model.errors import FetchError, TooManyFilesError


def system_resolve(name: str, port: int, seconds: float) -> list[str]:
    """Return all addresses of a name in the system's order. Raise FetchError("dns") for none in time.

    The C library's resolver cannot be interrupted: it runs in a thread of its own, which is abandoned when it
    is late and ends after the resolver's own timeout (resolv.conf).
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
    _require_free_file()
    raise FetchError("dns", f"{name}: {_dns_words(answer)}")


def _require_free_file() -> None:
    """Raise TooManyFilesError if there is none: the C library reports that with another error."""
    try:
        socket.socket().close()
    except OSError as error:
        if TooManyFilesError.is_behind(error):
            raise TooManyFilesError from error


_NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


def _dns_words(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError) or error.errno in _NO_SUCH_NAME:
        return "there is no such name"
    if error.errno == socket.EAI_AGAIN:
        return "no name server answers at the moment"
    return error.strerror or "the name cannot be looked up"
