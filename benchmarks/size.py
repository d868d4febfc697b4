"""How large the project is, and whether its layout keeps the rules of docs/development.md.

    python -m benchmarks.size            the figures
    python -m benchmarks.size --check    fails, with a line each, where a rule is broken

A code line is a line that holds a token other than a comment or a docstring.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "aggregator"
PACKAGES = frozenset(
    [
        "model",
        "config",
        "extract",
        "text",
        "stories",
        "sources",
        "store",
        "grouping",
        "intake",
        "web",
        "admin",
        "daemon",
        "cli",
    ]
)
IN_ROOT = frozenset({"__init__.py", "__main__.py", "py.typed", "python_api.py"})
MOST_FILES = 18  # in one folder, `__init__.py` counted; `cli` holds one per command
TABLE_LINES = 50  # YAML and text tables above this are counted beside the code
# Public class names that may occur twice, three at most
SHARED_CLASS_NAMES: frozenset[str] = frozenset()
_NO_CODE = frozenset(
    (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
)
_WITH_BODY = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Source:
    """One Python file: its tree, and the numbers of its code lines where they are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self._text)

    @cached_property
    def code(self) -> set[int]:
        docstrings: set[int] = set()
        for node in ast.walk(self.tree):
            if (
                isinstance(node, _WITH_BODY)
                and ast.get_docstring(node, clean=False) is not None
            ):
                docstrings |= set(
                    range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
                )
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self._text).readline):
            if token.type not in _NO_CODE:
                lines |= set(range(token.start[0], token.end[0] + 1))
        return lines - docstrings

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))


def misplaced_files() -> Iterator[str]:
    """Breaches of what a folder may hold."""
    for path in sorted(PACKAGE.iterdir()):
        # Of a checkout that was updated
        is_left_over = path.is_dir() and not any(path.rglob("*.py"))
        if not is_left_over and path.name not in (
            PACKAGES if path.is_dir() else IN_ROOT
        ):
            yield f"aggregator/{path.name}: the root holds thirteen packages, {' and '.join(sorted(IN_ROOT))}"
    for folder, count in sorted(
        Counter(path.parent for path in PACKAGE.rglob("*.py")).items()
    ):
        if count > MOST_FILES and folder.name != "cli":
            yield f"{folder.relative_to(ROOT)}: {count} files, {MOST_FILES} at most"


def misplaced_tests() -> Iterator[str]:
    """Breaches of the order of tests: by package, what is no test in tests/support."""
    folders = {
        "e2e",
        *(f"{kind}/{name}" for kind in ("unit", "integration") for name in PACKAGES),
    }
    folders |= {"unit/project", "integration/system"}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        folder = str(path.parent.relative_to(ROOT / "tests"))
        if path.name not in ("__init__.py", "conftest.py") and (
            folder not in folders
            if path.name.startswith("test_")
            else folder != "support"
        ):
            where = "of a package" if path.name.startswith("test_") else "tests/support"
            yield f"{path.relative_to(ROOT)}: belongs into the folder {where}"


def misnamed(sources: list[Source]) -> Iterator[str]:
    """Names that stand for too many things."""
    classes: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                classes[node.name].append(source.name)
    for name, places in sorted(classes.items()):
        if len(places) > 1 and name not in SHARED_CLASS_NAMES:
            yield f"class {name} is defined in {', '.join(places)}"


def figures(sources: list[Source]) -> Iterator[tuple[str, int]]:
    """What `make size` prints, in its order."""
    modules = [source for source in sources if source.path.name != "__init__.py"]
    yield "code lines in aggregator/", sum(len(source.code) for source in sources)
    tables = [
        p
        for p in PACKAGE.rglob("*")
        if p.suffix in {".yaml", ".txt", ".json"} and p.is_file()
    ]
    long = [
        lines
        for p in tables
        if (lines := len(p.read_text(encoding="utf-8").splitlines())) > TABLE_LINES
    ]
    yield "lines in tables (YAML, JSON, text) beside them", sum(long)
    yield "modules", len(modules)
    yield (
        "most modules in one folder (without cli)",
        max(
            Counter(
                s.path.parent for s in modules if s.path.parent.name != "cli"
            ).values()
        ),
    )
    tuning = (PACKAGE / "config" / "tuning.yaml").read_text(encoding="utf-8")
    yield (
        "tuning constants",
        len(re.findall(r"^ {2,}\w+:[ \t]*[^\s#]", tuning, re.MULTILINE)),
    )
    docs = [p for p in (ROOT / "docs").rglob("*.md") if "decisions" not in p.parts]
    yield (
        "words in docs (without decisions)",
        sum(len(p.read_text(encoding="utf-8").split()) for p in docs),
    )
    tests = (ROOT / "tests").rglob("*.py")
    yield (
        "test lines",
        sum(len(p.read_text(encoding="utf-8").splitlines()) for p in tests),
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.size", description=__doc__
    )
    parser.add_argument(
        "--check", action="store_true", help="fail where a rule of the layout is broken"
    )
    options = parser.parse_args()
    sources = [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]
    if options.check:
        broken = [
            *misplaced_files(),
            *misplaced_tests(),
            *misnamed(sources),
        ]
        print("\n".join(broken) if broken else "layout: ok")
        return 1 if broken else 0
    for what, count in figures(sources):
        print(f"{count:>8,}  {what}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
