"""docs/forms.md lists every form of an article and of a story: each class that has many of their columns."""

import ast
import re

from sqlalchemy import Table

from aggregator.store.tables import article, story
from tests.conftest import REPOSITORY

# A class with fewer columns of the table says something about an article or a story, and is no form of it.
LEAST_OF_ARTICLE = 8
LEAST_OF_STORY = 4
# A further form is a decision; docs/forms.md names these numbers.
MOST_OF_ARTICLE = 14
MOST_OF_STORY = 9


def _classes() -> dict[str, ast.ClassDef]:
    """All classes of the program by name."""
    classes = {}
    for path in sorted((REPOSITORY / "aggregator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes[node.name] = node
    return classes


CLASSES = _classes()


def _fields(name: str) -> set[str]:
    """The fields of a class and of those that it extends."""
    node = CLASSES.get(name)
    if node is None:
        return set()
    fields: set[str] = set()
    for base in node.bases:
        if isinstance(base, ast.Name):
            fields |= _fields(base.id)
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            fields.add(line.target.id)
    return fields


def _forms(table: Table, other: Table, least: int) -> set[str]:
    """The classes with at least so many columns of a table, and with fewer of the other one."""
    forms = set()
    for name in CLASSES:
        fields = _fields(name)
        columns = fields & set(table.c.keys())
        if len(columns) >= least and len(columns) > len(fields & set(other.c.keys())):
            forms.add(name)
    return forms


def _listed(heading: str) -> set[str]:
    """The names in the first column of the table under a heading of docs/forms.md."""
    text = (REPOSITORY / "docs" / "forms.md").read_text()
    section = text.split(f"## {heading}\n")[1].split("\n## ")[0]
    names = set()
    for line in section.splitlines():
        if line.startswith("| `"):
            names.update(re.findall(r"`(\w+)`", line.split("|")[1]))
    return names


def test_the_forms_of_an_article_are_listed() -> None:
    listed = _listed("Of an article")
    assert _forms(article, story, LEAST_OF_ARTICLE) == listed
    assert len(listed) <= MOST_OF_ARTICLE


def test_the_forms_of_a_story_are_listed() -> None:
    listed = _listed("Of a story")
    assert _forms(story, article, LEAST_OF_STORY) == listed
    assert len(listed) <= MOST_OF_STORY
