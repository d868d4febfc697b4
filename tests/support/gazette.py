"""The feed of an invented newspaper, and the changes around its articles that make none of them new."""

from collections.abc import Callable

from tests.support.articles import FLOOD
from tests.support.listed_feeds import Item
from tests.support.tables import numbered, rows

HOST = "gazette.example"
LEVEE = Item(
    "Levee breaks at Pennmouth", FLOOD, "tag:0", f"http://{HOST}/news/levee", 1
)
BRIEFS = rows("gazette", "briefs")


def tail(number: int) -> str:
    """Return words enough for an article, different for each number."""
    return " ".join(numbered(f"w{number}x%n", 60)) + "."


DAY = (
    LEVEE,
    *(
        Item(
            title,
            f"{said} {tail(number)}",
            f"tag:{number}",
            f"http://{HOST}/news/{number}",
            number + 1,
        )
        for number, (title, said) in enumerate(BRIEFS, start=1)
    ),
)

Change = Callable[[Item], Item]
FOOTER = "Read our newsletter and follow us for more stories like this one."


def moved(item: Item) -> str:
    """Return the address of an article in another publishing system."""
    return f"http://{HOST}/archive/{item.title.lower().replace(' ', '-')}"


CHANGES: dict[str, Change] = {
    "titles": lambda item: item._replace(title=f"Updated: {item.title}"),
    "dates": lambda item: item._replace(hours=-24),
    "GUIDs": lambda item: item._replace(guid=f"urn:{item.guid}"),
    "addresses": lambda item: item._replace(link=moved(item)),
    "all keys": lambda item: item._replace(guid=f"urn:{item.guid}", link=moved(item)),
    "all keys and dates": lambda item: item._replace(
        guid=f"urn:{item.guid}", link=moved(item), hours=-24
    ),
    "footers": lambda item: item._replace(text=f"{item.text} {FOOTER}"),
    "tracking": lambda item: item._replace(
        link=f"{item.link}?utm_source=rss&utm_campaign=day2"
    ),
    "no GUIDs": lambda item: item._replace(guid=None),
    "no addresses": lambda item: item._replace(link=None),
    "www": lambda item: item._replace(
        link=(item.link or "").replace(HOST, f"www.{HOST}")
    ),
    "https": lambda item: item._replace(
        link=(item.link or "").replace("http:", "https:")
    ),
    "another domain": lambda item: item._replace(
        guid=f"post-{item.guid}", link=moved(item).replace(HOST, "gazette.test")
    ),
    "a trailing slash": lambda item: item._replace(link=f"{item.link}/"),
    "AMP": lambda item: item._replace(
        link=(item.link or "").replace("/news/", "/amp/news/")
    ),
    "a suffix": lambda item: item._replace(link=f"{item.link}.html"),
    "the mobile site": lambda item: item._replace(
        link=(item.link or "").replace(HOST, f"m.{HOST}")
    ),
    "another port": lambda item: item._replace(
        link=(item.link or "").replace(HOST, f"{HOST}:8081")
    ),
    "half of them": lambda item: (
        item
        if item.hours == 1
        else item._replace(guid=f"half-{item.guid}", link=moved(item))
    ),
    "nothing": lambda item: item,
}
