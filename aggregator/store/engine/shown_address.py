"""The address of a database as it is shown: without a password."""

from sqlalchemy.engine import make_url


def shown_url(url: str) -> str:
    """Return the address for messages: the path of the file, or the URL without its password."""
    parsed = make_url(url)
    if url.startswith("sqlite"):
        return parsed.database or url
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)
