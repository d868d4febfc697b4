"""Feeds: how many of a suite's feeds yield their entries, and whether the fields are those expected.

    python -m benchmarks.feeds [--data ../shared/data] [--differences] [--torn SEED]

An XML file holds as many entries as it has `<item>` and `<entry>` elements, a JSON file as `items` has if its
`version` names jsonfeed.org; they are counted here by means that the reader does not use. What a field should
be is said by gofeed's NAME.json beside NAME.xml and by the line `Expect:` in feedparser's files. With
`--torn` the real feeds are also read after something was broken in each.
"""

import argparse
import ast
import datetime as dt
import html
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.core import Entry, ParsedFeed
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.entry_builder import FeedContext, author_name, plain_title
from aggregator.sources.parse.feed import read_feed
from aggregator.sources.parse.xml_repair import decode_markup, entry_starts

SUITES = ("real", "feedparser", "gofeed")
# Old samples are dated back to 2003, and none lies in the future of this moment.
_SEEN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
_TUNING = source_tuning(Tuning())
_EXPECT = re.compile(
    r"entries\[0\]\[?\.?'?(title|link|id|author|summary|description|content)'?\]?"
    r"(?:\[0\])?(?:\['value'\])?\s*==\s*(u?'(?:[^'\\\n]|\\.)*'|u?\"(?:[^\"\\\n]|\\.)*\")(?!\s*\[)"
)


class Tally(msgspec.Struct):
    """Of one suite."""

    held: int = 0  # files that hold entries
    some: int = 0  # of those, with at least one found
    exact: int = 0  # of those, with all of them
    slowest_seconds: float = 0.0
    missed: list[str] = []


def read(data: bytes) -> ParsedFeed:
    return read_feed(data, FeedContext(source="benchmark", seen=_SEEN, tuning=_TUNING))


def feeds_below(folder: Path) -> Iterator[Path]:
    """Files that may be feeds: not the expected results, which are called NAME.json or NAME_expected.json."""
    for path in sorted(folder.rglob("*")):
        is_result = path.suffix == ".json" and path.with_suffix(".xml").exists()
        if path.is_file() and not is_result and not path.stem.endswith("_expected"):
            yield path


def entries_held(data: bytes) -> int:
    """Entries that the bytes hold, by lxml's recovering parser, else by their tags."""
    from lxml import etree

    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{":
        try:
            feed = json.loads(data.decode("utf-8-sig"))
        except ValueError:
            return 0
        return len(feed.get("items") or []) if "jsonfeed.org" in str(feed.get("version")) else 0
    try:
        root = etree.fromstring(data, etree.XMLParser(recover=True, huge_tree=True, resolve_entities=False))
    except (etree.XMLSyntaxError, ValueError):
        root = None
    names = [] if root is None else [str(node.tag).rpartition("}")[2] for node in root.iter("*")]
    found = sum(name.rpartition(":")[2].lower() in {"item", "entry"} for name in names)
    return found or len(re.findall(rb"<(?:[\w.-]+:)?(?:item|entry)[\s>/]", data))


def count(folder: Path) -> Tally:
    """How many of a suite's feeds yield some, and all, of their entries."""
    tally = Tally()
    for path in feeds_below(folder):
        data = path.read_bytes()
        expected = entries_held(data)
        started = time.perf_counter()
        found = read(data).entry_count
        tally.slowest_seconds = max(tally.slowest_seconds, time.perf_counter() - started)
        if expected:
            tally.held += 1
            tally.some += found > 0
            tally.exact += found == expected
            if found != expected:
                tally.missed.append(f"{path.relative_to(folder)}: {found} of {expected}")
    return tally


# --- fields ------------------------------------------------------------------------------------------------


class Difference(msgspec.Struct, frozen=True):
    """A field that is not what the suite expects."""

    file: str
    field: str
    expected: str
    found: str


def gofeed_fields(path: Path) -> Iterator[tuple[str, str, str]]:
    """(field, expected, found) for every field of every entry that gofeed's expected result names."""
    result = path.with_suffix(".json") if path.suffix == ".xml" else path.with_stem(f"{path.stem}_expected")
    if not result.exists():
        return
    wanted = json.loads(result.read_text(encoding="utf-8"))
    found = read(_with_titles(path.read_bytes())).entries
    for number, item in enumerate(wanted.get("items") or wanted.get("entries") or []):
        entry = found[number] if number < len(found) else None
        for field, expected in _gofeed_item(item):
            if expected:
                yield field, expected, "(no entry)" if entry is None else _shown(entry, field, expected)


def _with_titles(data: bytes) -> bytes:
    """With a title where an entry has none: the suites' entries hold one field, and of a mere author or date
    the reader makes no entry."""
    if b"<title" in data.partition(b"<item")[2] or re.search(rb"<entry.*<title", data, re.DOTALL):
        return data
    return re.sub(rb"</(item|entry)>", rb"<title>_</title></\1>", data)


def _gofeed_item(item: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields that we keep, in one spelling: gofeed has one for each format and one for all."""
    guid = item.get("guid") or item.get("id")
    yield "guid", str(guid.get("value", "")) if isinstance(guid, dict) else str(guid or "")
    links = [one.get("href", "") if isinstance(one, dict) else one for one in item.get("links") or []]
    yield "link", item.get("link") or item.get("url") or next(iter(links), "")
    yield "title", item.get("title") or ""
    yield (
        "published",
        item.get("publishedParsed") or item.get("pubDateParsed") or item.get("date_published", ""),
    )
    yield "author", ", ".join(_author_names(item))
    content = (
        item.get("content") or item.get("content_html") or item.get("description") or item.get("summary")
    )
    yield "content", str(content.get("value") or "") if isinstance(content, dict) else str(content or "")
    for one in item.get("enclosures") or []:
        yield "enclosure", one.get("url") or ""
    for name in item.get("categories") or []:
        yield "category", str(name.get("value") or name.get("term")) if isinstance(name, dict) else name
    image = item.get("image")
    yield "image", image.get("url", "") if isinstance(image, dict) else image or ""


def _author_names(item: dict[str, Any]) -> list[str]:
    people = item.get("authors") or ([item["author"]] if item.get("author") else [])
    return [str(one.get("name") or "") if isinstance(one, dict) else str(one) for one in people]


def feedparser_fields(path: Path) -> Iterator[tuple[str, str, str]]:
    """The same for what a file of feedparser's says that its first entry has."""
    data = path.read_bytes()
    head = data[:4000].decode("utf-8", "replace").partition("-->")[0]
    claims = _EXPECT.findall(head)
    if not claims:
        return
    entries = read(_with_titles(data)).entries
    for name, literal in claims:
        field = {"description": "content", "summary": "content", "id": "guid"}.get(name, name)
        try:
            expected = str(ast.literal_eval(literal))
        except (ValueError, SyntaxError):
            continue
        if expected.strip():
            yield field, expected, _shown(entries[0], field, expected) if entries else "(no entry)"


def _shown(entry: Entry, field: str, expected: str) -> str:
    """The field as the suite writes it; of lists the one that is expected, where it is there."""
    if field in {"enclosure", "image"}:
        urls = [one.url for one in entry.enclosures]
        return expected if expected in urls else " ".join(urls)
    if field == "category":
        return expected if plain_title(expected) in entry.categories else " ".join(entry.categories)
    if field == "published":
        return entry.published.time.strftime("%Y-%m-%dT%H:%M:%SZ") if entry.published else ""
    if field == "content":
        return entry.html or entry.text or ""
    return str(
        {"guid": entry.guid, "link": entry.url, "title": entry.title, "author": entry.author}[field] or ""
    )


def agree(field: str, expected: str, found: str) -> bool:
    """Whether they say the same: texts by their visible words, times by the moment, the rest as it stands."""
    if field == "content":
        return visible(expected) == visible(found)
    if field == "title":
        return found == "_" or visible(plain_title(expected)) == visible(found)
    if field == "author":
        return (author_name(expected) or "") == found
    if field == "published":
        return _moment(expected) == _moment(found)
    return expected.strip() == found.strip()


def visible(markup: str) -> list[str]:
    """The words that a reader sees; scripts and styles are none."""
    text = re.sub(r"(?is)<(script|style)\b.*?</\1\s*>", " ", html.unescape(markup))
    return re.findall(r"\w+", html.unescape(re.sub(r"<[^<>]*>", " ", text)))


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(microsecond=0, tzinfo=moment.tzinfo or dt.UTC)


def compare(folder: Path, suite: str) -> tuple[Counter[str], list[Difference]]:
    """How often each field was compared, and where it differs."""
    fields = gofeed_fields if suite == "gofeed" else feedparser_fields
    compared: Counter[str] = Counter()
    different: list[Difference] = []
    for path in feeds_below(folder):
        for field, expected, found in fields(path):
            compared[field] += 1
            if not agree(field, expected, found):
                different.append(Difference(str(path.relative_to(folder)), field, expected, found))
    return compared, different


# --- torn feeds --------------------------------------------------------------------------------------------


def torn(text: str, rng: random.Random) -> Iterator[tuple[str, str]]:
    """(what was done, the feed after it); none of it adds or takes an entry's beginning."""
    closing = list(re.finditer(r"</[\w:]+>", text))
    dropped = rng.choice(closing) if closing else None
    if dropped:
        yield "a closing tag dropped", text[: dropped.start()] + text[dropped.end() :]
    yield "entries never closed", re.sub(r"</(?:item|entry)>", "", text)
    yield "cut in the last entry", text[: max(text.rfind("</item"), text.rfind("</entry"))]
    yield "no namespaces declared", re.sub(r"\sxmlns(?::\w+)?=(?:\"[^\"]*\"|'[^']*')", "", text)
    yield "an undeclared prefix everywhere", re.sub(r"(</?)([A-Za-z]\w*)(?=[\s/>])", r"\1x:\2", text)
    yield "no root", re.sub(r"</?(?:rss|channel|feed)\b[^<>]*>", "", text)
    yield "upper case", re.sub(r"(</?)([\w:]+)", lambda found: found[1] + found[2].upper(), text)
    yield "no quotes", re.sub(r'="([\w:/.-]+)"', r"=\1", text)
    yield "a program's warning before", f"<br />\n<b>Warning</b>: disk full on line 3<br />\n{text}"


def print_torn(folder: Path, seed: int) -> None:
    """Of each kind of damage the share of the real feeds that still yield all entries."""
    rng = random.Random(seed)
    whole: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for path in feeds_below(folder):
        text = decode_markup(path.read_bytes())
        if len(text) > 400_000:
            continue
        for kind, damaged in torn(text, rng):
            expected = len(list(entry_starts(damaged)))
            if expected:
                kinds[kind] += 1
                whole[kind] += read(damaged.encode("utf-8", "replace")).entry_count >= expected
    print(f"torn, seed {seed}: all entries from {whole.total()} of {kinds.total()}")
    for kind, count in kinds.items():
        print(f"  {kind}: {whole[kind]} of {count}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("AGGREGATOR_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--differences", action="store_true", help="print each field that differs")
    parser.add_argument("--torn", type=int, metavar="SEED", help="also read the real feeds after damage")
    asked = parser.parse_args()
    for suite in SUITES:
        tally = count(asked.data / "feeds" / suite)
        print(
            f"{suite}: {tally.held} hold entries; some {tally.some / tally.held:.4f}, "
            f"exact {tally.exact / tally.held:.4f}, slowest {tally.slowest_seconds:.2f} s"
        )
        for line in tally.missed:
            print(f"  {line}")
    for suite in SUITES[1:]:
        compared, different = compare(asked.data / "feeds" / suite, suite)
        by_field = Counter(one.field for one in different)
        shares = ", ".join(f"{field} {n - by_field[field]}/{n}" for field, n in sorted(compared.items()))
        print(f"{suite}, fields as expected: {shares}")
        for one in different if asked.differences else ():
            print(f"  {one.file} {one.field}: expected {one.expected[:120]!r}, found {one.found[:120]!r}")
    if asked.torn is not None:
        print_torn(asked.data / "feeds" / "real", asked.torn)


if __name__ == "__main__":
    main()
