"""Feeds as an enemy, or a broken program, would serve them. Each holds one good entry, or says what it is.

`size` scales the floods: 1.0 keeps a parser without limits busy for minutes (measured).
"""

import gzip
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.support.tables import mapping, numbered, rows

GOOD = "<item><guid>good</guid><title>Ferry back in harbour</title></item>"
TOKENS = rows("support_hostile_feeds", "tokens")
FLOOD_REPEATS = 200_000  # of `<!--` took feedparser's sanitizer 118.7 s


@dataclass(frozen=True)
class Hostile:
    """Bytes that stand where a feed should. `has_good`: the good entry must come out of them all the same."""

    name: str
    data: bytes
    has_good: bool = True


def rss(items: str, before: str = '<?xml version="1.0"?>', head: str = "") -> str:
    return f'{before}<rss version="2.0"><channel><title>Post</title>{head}{items}</channel></rss>'


def all_hostile(size: float, *, secret_file: str, canary: str) -> Iterator[Hostile]:
    """More than 75 feeds. `secret_file` is a path, `canary` an address: neither may be read."""
    yield from bombs(secret_file, canary)
    yield from floods(int(FLOOD_REPEATS * size))
    yield from nests(int(100_000 * size))
    yield from too_many(int(100_000 * size))
    yield from signs()
    yield from torn()
    yield from noise(Random(20261120))


def bombs(secret_file: str, canary: str) -> Iterator[Hostile]:
    """Entities that grow, and entities, documents and styles that refer to other addresses."""
    item = GOOD.replace(
        "</item>", f"<description>{'&a;' * 400} &x;</description></item>"
    )
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))

    def table(name: str) -> Iterator[tuple[str, str]]:
        for row, text in mapping("support_hostile_feeds", name).items():
            yield row, text.replace("SECRET", secret_file).replace("CANARY", canary)

    for name, subset in (
        ("laughs", f'<!ENTITY l0 "hahahaha">{laughs}<!ENTITY a "&l9;">'),
        ("quadratic", f'<!ENTITY a "{"ha" * 25_000}">'),
        *table("subsets"),
    ):
        for codec in ("utf-8", "utf-16"):
            before = (
                f'<?xml version="1.0" encoding="{codec}"?><!DOCTYPE rss [\n{subset}\n]>'
            )
            yield Hostile(f"{name}, {codec}", rss(item, before).encode(codec))
    for name, doctype in table("doctypes"):
        yield Hostile(name, rss(item, doctype).encode())
    for name, include in table("includes"):
        yield Hostile(name, rss(GOOD + include).encode())


def floods(repeats: int) -> Iterator[Hostile]:
    """One token repeated, and one tag with a flood of attributes."""
    for token in TOKENS:
        item = f"<item><title>Flood</title><description>{token * repeats}</description></item>"
        yield Hostile(f"flood of {token}", rss(GOOD + item).encode())
        text = f"<item><title>Flood</title><description>{html.escape(token) * repeats}</description></item>"
        yield Hostile(f"flood of {token} in a text", rss(GOOD + text).encode())
    attributes = " ".join(numbered('a%n="x"', repeats // 2))
    yield Hostile(
        "flood of attributes",
        rss(f"<item {attributes}>" + GOOD.removeprefix("<item>")).encode(),
    )
    spaces = "".join(numbered('<a%n:b xmlns:a%n="urn:%n"/>', repeats // 5))
    yield Hostile("flood of namespaces", rss(GOOD, head=spaces).encode())
    for name, (before, text, after) in mapping(
        "support_hostile_feeds", "floods"
    ).items():
        yield Hostile(
            f"flood of {name}", rss(GOOD + before + text * repeats + after).encode()
        )


def nests(depth: int) -> Iterator[Hostile]:
    """Elements within elements, closed or not."""
    for name in ("item", "b", "channel", "media:group", "title"):
        inner = f"<{name}>" * depth
        yield Hostile(
            f"nest of <{name}>",
            rss(GOOD + f"<item><description>{inner}").encode(),
            name != "item",
        )
    closed = "<div>" * depth + "</div>" * depth
    yield Hostile(
        "closed nest",
        rss(GOOD + f"<item><description>{closed}</description></item>").encode(),
    )
    nested = '{"version": "https://jsonfeed.org/version/1", "items": ' + "[" * depth
    yield Hostile("nest of lists", nested.encode(), has_good=False)
    # The first ones of a feed are taken, and of these nothing is well-formed: whatever comes out, it ends.


def too_many(count: int) -> Iterator[Hostile]:
    """More entries than any feed publishes; the good one is the newest."""
    items = "".join(
        numbered("<item><guid>%n</guid><title>Entry %n</title></item>", count)
    )
    yield Hostile("entries", rss(GOOD + items).encode())
    yield Hostile("broken entries", rss(GOOD + items.replace("</guid>", "")).encode())
    atom = "".join(numbered("<entry><id>%n</id><title>E</title></entry>", count))
    good = "<entry><id>good</id><title>Ferry back in harbour</title></entry>"
    yield Hostile(
        "atom entries",
        f'<feed xmlns="http://www.w3.org/2005/Atom">{good}{atom}</feed>'.encode(),
    )
    listed = [
        {"id": "good", "title": "Ferry back in harbour"},
        *({"id": n, "title": "E"} for n in range(count)),
    ]
    yield Hostile(
        "json items",
        json.dumps(
            {"version": "https://jsonfeed.org/version/1.1", "items": listed}
        ).encode(),
    )
    pages = "".join(
        numbered("<url><loc>https://news.example.org/%n</loc></url>", count)
    )
    news = "<news><title>Ferry back in harbour</title></news>"
    newest = f"<url><loc>good</loc>{news}<lastmod>2026-02-01</lastmod></url>"
    yield Hostile("sitemap pages", f"<urlset>{pages}{newest}</urlset>".encode())
    yield Hostile(
        "gzip of zeros",
        gzip.compress(rss(GOOD).encode() + b" " * (count * 300)),
        has_good=True,
    )


def signs() -> Iterator[Hostile]:
    """Characters that databases, parsers or XML do not allow."""
    for sign in rows("support_hostile_feeds", "signs"):
        item = f"<item><title>Tide{sign}</title><guid>x{sign}</guid><link>https://a.example/{sign}</link></item>"
        yield Hostile(f"sign {sign!a}", rss(item + GOOD).encode())
    yield Hostile(
        "lone surrogate bytes",
        rss("<item><title>\ud800</title></item>" + GOOD).encode(
            "utf-8", "surrogatepass"
        ),
    )
    yield Hostile(
        "overlong utf-8",
        rss(GOOD).encode().replace(b"<title>", b"<title>\xc0\x80\xe0\x80\x80", 1),
    )


def torn() -> Iterator[Hostile]:
    """Feeds whose markup does not fit: cut, unclosed, undeclared, with a program's complaint before them."""
    three = GOOD.replace("good", "one") + GOOD.replace("good", "two") + GOOD
    whole = rss(three)
    for name, changes in mapping("support_hostile_feeds", "changed").items():
        text = whole
        for old, new in changes.items():
            text = text.replace(old, new)
        yield Hostile(name, text.encode())
    for name, items in mapping("support_hostile_feeds", "odd entries").items():
        yield Hostile(name, rss(items.replace("GOOD", GOOD)).encode())
    for name, text in mapping("support_hostile_feeds", "words around").items():
        around = text.replace("WHOLE", whole).replace("ENTRIES", three)
        yield Hostile(name, around.encode())


def noise(rng: Random) -> Iterator[Hostile]:
    """Chance bytes, alone and sown into a feed."""
    for number in range(10):
        yield Hostile(
            f"noise {number}", rng.randbytes(rng.randrange(1, 20_000)), has_good=False
        )
    whole = rss(GOOD * 20).encode()
    for number in range(10):
        sown = bytearray(whole)
        for _ in range(40):
            sown[rng.randrange(len(sown))] = rng.randrange(256)
        yield Hostile(f"sown {number}", bytes(sown), has_good=False)
