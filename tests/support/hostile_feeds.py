"""Feeds as an enemy, or a broken program, would serve them. Each holds one good entry, or says what it is.

`size` scales the floods: 1.0 keeps a parser without limits busy for minutes (measured).
"""

import gzip
import html
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.tables import rows

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
    yield from noise(random.Random(20261120))


def bombs(secret_file: str, canary: str) -> Iterator[Hostile]:
    """Entities that grow, and entities, documents and styles that refer to other addresses."""
    uses = "".join("&a;" for _ in range(400))
    item = GOOD.replace("</item>", f"<description>{uses} &x;</description></item>")
    laughs = '<!ENTITY l0 "hahahaha">' + "".join(
        f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)
    )
    subsets = {
        "laughs": laughs + '<!ENTITY a "&l9;">',
        "quadratic": f'<!ENTITY a "{"ha" * 25_000}">',
        "file": f'<!ENTITY a SYSTEM "file://{secret_file}"><!ENTITY x SYSTEM "{secret_file}">',
        "net": f'<!ENTITY a SYSTEM "{canary}"><!ENTITY x PUBLIC "-//x//EN" "{canary}">',
        "parameter": f'<!ENTITY % p SYSTEM "{canary}"> %p; <!ENTITY a "ha">',
        "nested parameter": f'<!ENTITY % f SYSTEM "{secret_file}"><!ENTITY % e "<!ENTITY a \'%f;\'>"> %e;',
        "itself": '<!ENTITY a "&b;"><!ENTITY b "&a;">',
        "attribute": '<!ATTLIST item guid CDATA "forged"><!ENTITY a "ha">',
        "notation": f'<!NOTATION n SYSTEM "{canary}"><!ENTITY x SYSTEM "{canary}" NDATA n>',
        "bracket in a string": '<!ENTITY a "]>hahahaha">',
    }
    for name, subset in subsets.items():
        for codec in ("utf-8", "utf-16"):
            before = (
                f'<?xml version="1.0" encoding="{codec}"?><!DOCTYPE rss [\n{subset}\n]>'
            )
            yield Hostile(f"{name}, {codec}", rss(item, before).encode(codec))
    for name, doctype in {
        "system id": f'<!DOCTYPE rss SYSTEM "{canary}">',
        "public id": f'<!DOCTYPE rss PUBLIC "-//x//EN" "{canary}">',
        "file id": f'<!DOCTYPE rss SYSTEM "file://{secret_file}">',
        "two doctypes": f'<!DOCTYPE a><!DOCTYPE rss SYSTEM "{canary}">',
        "style": f'<?xml-stylesheet type="text/xsl" href="{canary}"?>',
    }.items():
        yield Hostile(name, rss(item, doctype).encode())
    include = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://{secret_file}" parse="text"/>'
    yield Hostile(
        "xinclude", rss(GOOD + f"<item><title>{include}</title></item>").encode()
    )


def floods(repeats: int) -> Iterator[Hostile]:
    """One token repeated, and one tag with a flood of attributes."""
    for token in TOKENS:
        item = f"<item><title>Flood</title><description>{token * repeats}</description></item>"
        yield Hostile(f"flood of {token}", rss(GOOD + item).encode())
        text = f"<item><title>Flood</title><description>{html.escape(token) * repeats}</description></item>"
        yield Hostile(f"flood of {token} in a text", rss(GOOD + text).encode())
    attributes = " ".join(f'a{number}="x"' for number in range(repeats // 2))
    yield Hostile(
        "flood of attributes",
        rss(f"<item {attributes}>" + GOOD.removeprefix("<item>")).encode(),
    )
    yield Hostile("flood of namespaces", rss(GOOD, head="".join(
        f'<a{n}:b xmlns:a{n}="urn:{n}"/>' for n in range(repeats // 5)
    )).encode())  # fmt: skip
    yield Hostile(
        "flood of mail addresses",
        rss(GOOD + f"<item><author>{'a@' * repeats}</author></item>").encode(),
    )
    yield Hostile(
        "flood of spaces in a date",
        rss(GOOD + f"<item><pubDate>1{' ' * repeats}</pubDate></item>").encode(),
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
        f"<item><guid>{n}</guid><title>Entry {n}</title></item>" for n in range(count)
    )
    yield Hostile("entries", rss(GOOD + items).encode())
    yield Hostile("broken entries", rss(GOOD + items.replace("</guid>", "")).encode())
    atom = "".join(f"<entry><id>{n}</id><title>E</title></entry>" for n in range(count))
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
        f"<url><loc>https://news.example.org/{n}</loc></url>" for n in range(count)
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
    hurt = ("&#xD800;", "&#0;", "\x00", "\x1b[2J", "\ufffe", "&#x110000;", "&#99999999999999999999;",
            "&nosuch;", "\u202e", "&#xDC00;&#xD800;", "<\x01>", "&#-1;", "&#x;")  # fmt: skip
    for sign in hurt:
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
    yield Hostile("cut in the last entry", whole[: whole.rfind("</title>")].encode())
    yield Hostile("entries never closed", whole.replace("</item>", "").encode())
    yield Hostile("titles never closed", whole.replace("</title>", "").encode())
    yield Hostile(
        "an entry within an entry",
        rss(f"<item><title>Outer</title>{GOOD}</item>").encode(),
    )
    yield Hostile(
        "undeclared prefixes",
        whole.replace("<", "<q:")
        .replace("<q:/", "</q:")
        .replace("<q:?", "<?")
        .encode(),
    )
    yield Hostile("no root", three.encode())
    yield Hostile(
        "words before",
        b"<br />\n<b>Warning</b>: disk full in /var/feed.php on line 3<br />\n"
        + whole.encode(),
    )
    yield Hostile(
        "words after", whole.encode() + b"<script>track()</script></body></html>"
    )
    yield Hostile(
        "comment never closed",
        rss(GOOD + "<item><title>x<!-- y</title></item>").encode(),
    )
    yield Hostile(
        "cdata never closed",
        rss(GOOD + "<item><title><![CDATA[x</title></item>").encode(),
    )
    yield Hostile("two roots", (whole + whole).encode())
    yield Hostile("attributes without quotes", whole.replace('"2.0"', "2.0").encode())
    yield Hostile(
        "the same attribute twice",
        whole.replace("<item>", '<item a="1" a="2">').encode(),
    )
    yield Hostile(
        "a declaration that lies",
        whole.replace('"1.0"?', '"1.0" encoding="utf-16"?').encode(),
    )


def noise(rng: random.Random) -> Iterator[Hostile]:
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
