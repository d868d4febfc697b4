"""Pages made to break a reader: floods, depths, endless values, characters that no text may hold.

Each has a name, its bytes, and a sentence that must be found in its text (None: nothing is promised). All
come from a seed. The kinds follow faults of real extractors.
"""

from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import NamedTuple

from tests.support.tables import mapping, numbered, rows

SENTENCE = "The ferry to Lower Brannock was cancelled on Tuesday after its captain refused to sail."
MORE = (
    "The harbour office said that the next one leaves on Thursday at noon.",
    "Passengers with a ticket may keep it for the whole of next month.",
    "Nobody on the quay could say when the old pier will be mended.",
)


Make = Callable[[Random], str]


class HostilePage(NamedTuple):
    name: str
    page: bytes
    promised: str | None = None  # a sentence of its text


def hostile_pages(
    seed: int, names: Collection[str] | None = None
) -> Iterator[HostilePage]:
    """All kinds, or those of `names`; sizes and spellings are drawn from `seed`, for each page by itself."""
    for name, make, promised in _kinds():
        if names is None or name in names:
            yield HostilePage(name, make(Random(f"{seed} {name}")), promised)


def _kinds() -> Iterator[tuple[str, Callable[[Random], bytes], str | None]]:
    for name, make in FLOODS.items():
        yield f"flood: {name}", _made(make), None
    for name, make in DEPTHS.items():
        yield f"depth: {name}", _made(make), None
    for name, make in TAGS.items():
        yield f"tag: {name}", _made(make, _article()), None
    for name, make in HEADS.items():
        yield f"head: {name}", _headed(make), SENTENCE
    for name in CHARACTERS:
        yield (
            f"character: {name}",
            (lambda _, name=name: character_page(name)),
            MORE[-1],
        )
    for label in CHARSETS:
        yield (
            f"charset: {label}",
            _headed(lambda _, label=label: f'<meta charset="{label}">'),
            SENTENCE,
        )
    for name, (make_bytes, promised) in BYTES.items():
        yield f"bytes: {name}", make_bytes, promised


def _made(make: Make, after: str = "") -> Callable[[Random], bytes]:
    return lambda draw: _page(make(draw) + after)


def _headed(make: Make) -> Callable[[Random], bytes]:
    return lambda draw: _page(_article(), head=make(draw))


def character_page(name: str) -> bytes:
    """A page with that character in the middle of its text, beside each of four different sentences."""
    bad = CHARACTERS[name]
    reported = "".join(f"<p>{bad}{sentence}{bad}</p>" for sentence in (SENTENCE, *MORE))
    return _page(f"<article><h1>No ferry on Tuesday</h1>{reported}</article>")


def plain_page() -> bytes:
    """A page as it should be, to see that the next job goes well."""
    return _page(_article())


def _page(body: str, head: str = "") -> bytes:
    title = "<title>No ferry on Tuesday</title>"
    return f"<!DOCTYPE html><html><head>{title}{head}</head><body>{body}</body></html>".encode(
        "utf-8", "surrogatepass"
    )


def _article() -> str:
    reported = "".join(f"<p>{sentence}</p>" for sentence in (SENTENCE, *MORE))
    return f"<article><h1>No ferry on Tuesday</h1>{reported}</article>"


def _repeated(before: str, text: str, after: str, least: int, most: int) -> Make:
    return lambda draw: before + text * draw.randint(least, most) + after


def _tabled(name: str) -> dict[str, Make]:
    """Pages of a table: what comes first, what is repeated, what comes last, and how often."""
    return {
        page: _repeated(
            *(str(part).replace("SENTENCE", SENTENCE) for part in row[:3]), *row[3:]
        )
        for page, row in mapping("hostile_pages", name).items()
    }


FLOODS = _tabled("floods")

_BOXES = (
    "<div class='newsletter'>" * 200
    + "x"
    + ("</div>" * 200 + "<div class=teaser>" * 200) * 100
)
DEPTHS: dict[str, Make] = {
    **_tabled("depths"),
    "named boxes": lambda draw: _BOXES[draw.randrange(100) :],
    "chains of 200": _repeated(
        "", "<div>" * 200 + "<p>word word word" + "</div>" * 200, "", 90, 110
    ),
}

TAGS: dict[str, Make] = {
    **_tabled("tags"),
    "attributes": lambda draw: (
        f"<div {' '.join(f'a{n}={n}' for n in range(draw.randint(90_000, 100_000)))}>x</div>"
    ),
    "many classes": lambda draw: "".join(numbered("<div class='c%n'>x</div>", 15_000)),
}

HEADS: dict[str, Make] = {
    **_tabled("heads"),
    "nested graphs": lambda draw: (
        '<script type="application/ld+json">'
        + '{"@graph":[' * 900
        + "]}" * 900
        + "</script>"
    ),
}


CHARACTERS = mapping("hostile_pages", "characters")

CHARSETS = rows("hostile_pages", "charsets")


def _shuffled(draw: Random) -> bytes:
    page = bytearray(plain_page())
    for _ in range(200):
        page[draw.randrange(len(page))] = draw.randrange(256)
    return bytes(page)


_BROKEN = plain_page().replace(b" ", b"\xc3 ", 3).replace(b"</p>", b"\xff</p>")
BYTES: dict[str, tuple[Callable[[Random], bytes], str | None]] = {
    "at random": (lambda draw: draw.randbytes(draw.randint(500_000, 1_000_000)), None),
    "at random with tags": (
        lambda draw: b"<p>".join(draw.randbytes(50) for _ in range(10_000)),
        None,
    ),
    "NULs": (lambda draw: bytes(draw.randint(1_000_000, 2_000_000)), None),
    "cut anywhere": (lambda draw: plain_page()[: draw.randrange(1_000)], None),
    "UTF-16 without a mark": (
        lambda _: plain_page().decode().encode("utf-16-le"),
        SENTENCE,
    ),
    "UTF-16 with a mark": (lambda _: plain_page().decode().encode("utf-16"), SENTENCE),
    "broken UTF-8": (lambda _: _BROKEN, None),
    "changed at random": (_shuffled, None),
}
