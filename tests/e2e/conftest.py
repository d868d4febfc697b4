"""What the tests of the whole program share: a browser."""

from tests.support.browser import browser

# pytest finds fixtures here
__all__ = ["browser"]
