"""The address of a database as it is shown: without a password."""

import shlex

from sqlalchemy.engine import make_url


def shown_url(url: str) -> str:
    """Return the address for messages: the path of the file, or the URL without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)


def address_to_type(url: str) -> str:
    """Return the address of a server without its password, as PostgreSQL's own programs take it in a shell."""
    address = make_url(url).set(drivername="postgresql", password=None)
    return shlex.quote(address.render_as_string())
