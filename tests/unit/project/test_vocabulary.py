"""One word for one thing: retired words do not come back, and the glossary has no dead terms."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from aggregator.config.settings import Config
from aggregator.store.tables import metadata
from tests.conftest import REPOSITORY
from tests.support.tables import rows

PACKAGE = REPOSITORY / "aggregator"
RETIRED = rows("vocabulary", "retired")
PHRASES = (
    "gets on",
    "get on with",
    "stands by",
    "set aside",
    "sets aside",
    "comes by",
    "for ever",
)
# Names in which a retired word has its everyday sense.
NAMES = {
    "breadcrumb_home",  # the first link of a breadcrumb path
    "home_url",  # of a feed: JSON Feed calls it home_page_url
    "desks",  # phrases.yaml: "Reuters Staff", "News Desk"
    "_DESK", "_DESK_WORD", "_is_news_desk", "_without_own_desk",
    "_ASIDE", "_is_aside",  # HTML's <aside>
}  # fmt: skip
PUBLIC = {("story_json.py", "home")}  # fields of the public JSON
# The same in texts.
TEXTS = re.compile(
    r"home ?pages?|Home Assistant|ProtectHome|/home/|home director|\bHOME\b|_home_|home_"
    r"|\"home\"|`home`|`told`|\"told the AFP"
    r"|news ?desk|Desk\b|<aside>|ancestor::aside|\|teaser\||death toll|Global Voices",
    re.IGNORECASE,
)
# Data: stop words, and words and patterns that are looked for in texts of others.
DATA = (
    "text/language.py",
    "extract/plain/live_text.py",
    "extract/kind.py",
    "extract/language/style.py",
)
_TAG = re.compile(r"\{[{%].*?[%}]\}|<[^>]*>")
_RETIRED_TEXT = re.compile(rf"\b(?:{'|'.join((*RETIRED, *PHRASES))})\b", re.IGNORECASE)
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def parts(name: str) -> set[str]:
    """`_StoryReader` and `story_reader` as words."""
    return {part.lower() for part in _PART.findall(name)}


@cache
def modules() -> list[tuple[Path, ast.Module]]:
    return [
        (path, ast.parse(path.read_text(encoding="utf-8")))
        for path in sorted(PACKAGE.rglob("*.py"))
    ]


def names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """What a module names itself: functions, classes, parameters, variables, attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def texts(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """String literals that people read: those with a blank; docstrings included."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and " " in node.value.strip()
        ):
            yield node.value, node.lineno


def retired_in(text: str) -> list[str]:
    return _RETIRED_TEXT.findall(TEXTS.sub(" ", text))


@pytest.mark.later
def test_no_identifier_has_a_retired_word() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {name}"
        for path, tree in modules()
        for name, line in names(tree)
        if name not in NAMES
        and parts(name) & set(RETIRED)
        and (path.name, name) not in PUBLIC
    ]
    found += [
        f"{path.relative_to(REPOSITORY)}"
        for path, _ in modules()
        if parts(path.stem) & set(RETIRED)
    ]
    assert found == []


def test_no_table_column_or_key_has_a_retired_word() -> None:
    stored = [table.name for table in metadata.sorted_tables]
    stored += [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
    ]
    tuning = yaml.safe_load(
        (PACKAGE / "config" / "tuning.yaml").read_text(encoding="utf-8")
    )
    keys = [
        *tuning,
        *(key for section in tuning.values() for key in section),
        *_keys(Config),
    ]
    assert [name for name in (*stored, *keys) if parts(name) & set(RETIRED)] == []


def _keys(model: type) -> Iterator[str]:
    for name, field in model.model_fields.items():  # type: ignore[attr-defined]
        yield name
        if hasattr(field.annotation, "model_fields"):
            yield from _keys(field.annotation)


@pytest.mark.later
def test_no_text_of_the_program_has_a_retired_word() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {word}"
        for path, tree in modules()
        if not str(path).endswith(DATA)
        for text, line in texts(tree)
        for word in retired_in(text)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["docs", "aggregator/web/templates", "systemd", "."])
def test_no_document_has_a_retired_word(folder: str) -> None:
    files = (
        (REPOSITORY / folder).glob("*.*")
        if folder == "."
        else (REPOSITORY / folder).rglob("*.*")
    )
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {word}"
        for path in sorted(files)
        if path.suffix in (".md", ".yaml", ".html", ".txt", ".service")
        and path.name != "CHANGELOG.md"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word in retired_in(_TAG.sub(" ", line) if path.suffix == ".html" else line)
    ]
    assert found == []


@pytest.mark.later
def test_every_term_of_the_glossary_is_used() -> None:
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^- \*\*(.+?)\*\*: ", glossary, re.MULTILINE)
    terms = [term.strip() for row in rows for term in row.split(",")]
    sources = [
        path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".yaml", ".html")
    ]
    sources += [
        path
        for path in (REPOSITORY / "docs").rglob("*.md")
        if path.name != "glossary.md"
    ]
    words = re.sub(
        r"[_\-\s]+", " ", " ".join(path.read_text(encoding="utf-8") for path in sources)
    )
    everything = (
        words.lower() + " " + re.sub(r"(?<=[a-z])(?=[A-Z])", " ", words).lower()
    )
    assert len(terms) > 60
    assert [
        one for one in terms if re.sub(r"[_\-\s]+", " ", one.lower()) not in everything
    ] == []
