"""How much code there is to understand in the project, and whether its files are in the right places.

    python -m benchmarks.size            print the figures
    python -m benchmarks.size --check    fail, with a line for each misplaced file or repeated class name

The measure is nodes: statements and expressions of the syntax tree, without docstrings. Their number does not depend
on how code is split into lines. A code line has a token other than a comment or a docstring.
"""

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
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
        "publish",
        "deliver",
        "web",
        "admin",
        "daemon",
        "cli",
    ]
)
IN_ROOT = frozenset({"__init__.py", "__main__.py", "py.typed", "python_api.py"})
MOST_NODES_A_FILE = 1_200
LONG_FUNCTION = 120  # nodes
# Names of local variables that do not say what they hold
IDLE_NAMES = frozenset(
    [
        "one",
        "found",
        "made",
        "held",
        "met",
        "told",
        "some",
        "taken",
        "own",
        "there",
        "item",
        "value_",
        "thing",
        "it",
        "res",
        "obj",
        "elem",
        "stuff",
    ]
)
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
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_RULE = re.compile(r"^\s*# --- ", re.MULTILINE)


class Source:
    """One Python file and its syntax tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def docstrings(self) -> list[ast.Expr]:
        """The statements that are docstrings."""
        statements = []
        for node in ast.walk(self.tree):
            if not isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)):
                continue
            if ast.get_docstring(node, clean=False) is not None:
                statement = node.body[0]
                assert isinstance(statement, ast.Expr)
                statements.append(statement)
        return statements

    @cached_property
    def nodes(self) -> int:
        """The number of statements and expressions, without docstrings."""
        # A docstring is a statement and an expression.
        everything = nodes_in(self.tree)
        return everything - 2 * len(self.docstrings)

    @cached_property
    def lines(self) -> int:
        """The number of code lines."""
        code: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in _NO_CODE:
                code.update(range(token.start[0], token.end[0] + 1))
        for statement in self.docstrings:
            assert statement.end_lineno is not None
            code.difference_update(range(statement.lineno, statement.end_lineno + 1))
        return len(code)

    @property
    def subjects(self) -> int:
        """The number of headings (`# --- `) that divide the file."""
        return len(_RULE.findall(self.text))


def nodes_in(tree: ast.AST) -> int:
    """Return the number of statements and expressions."""
    return sum(isinstance(node, ast.stmt | ast.expr) for node in ast.walk(tree))


def is_nested(comprehension: ast.AST) -> bool:
    """Return whether a comprehension has several loops, or contains another comprehension."""
    assert isinstance(comprehension, _COMPREHENSIONS)
    if len(comprehension.generators) > 1:
        return True
    inner = (node for node in ast.walk(comprehension) if node is not comprehension)
    return any(isinstance(node, _COMPREHENSIONS) for node in inner)


def figures(sources: Sequence[Source]) -> dict[str, float]:
    """Return the figures by name."""
    nodes = sum(source.nodes for source in sources)
    lines = sum(source.lines for source in sources)
    comprehensions, ternaries = [], 0
    locals_bound, idle = 0, 0
    functions = []
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, _COMPREHENSIONS):
                comprehensions.append(node)
            elif isinstance(node, ast.IfExp):
                ternaries += 1
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                locals_bound += 1
                idle += node.id in IDLE_NAMES
            elif isinstance(node, _FUNCTIONS):
                functions.append(nodes_in(node))
    thousands = lines / 1_000
    long_functions = sum(count > LONG_FUNCTION for count in functions)
    return {
        "nodes": nodes,
        "nodes a code line": round(nodes / lines, 2),
        "comprehensions in 1,000 lines": round(len(comprehensions) / thousands, 1),
        "nested comprehensions in 1,000 lines": round(
            sum(map(is_nested, comprehensions)) / thousands, 1
        ),
        "ternaries in 1,000 lines": round(ternaries / thousands, 1),
        "idle names in 1,000 locals": round(1_000 * idle / locals_bound, 1),
        "files with two subjects": sum(source.subjects >= 2 for source in sources),
        "files above 1,200 nodes": sum(
            source.nodes > MOST_NODES_A_FILE for source in sources
        ),
        "functions above 120 nodes, %": round(100 * long_functions / len(functions), 1),
        "modules in the largest folder": max(files_in_folders(sources).values()),
    }


def files_in_folders(sources: Sequence[Source]) -> Counter[Path]:
    """Return the number of modules in each folder but `cli`."""
    folders: Counter[Path] = Counter()
    for source in sources:
        folder = source.path.parent
        if folder.name != "cli" and not source.path.name.startswith("__"):
            folders[folder.relative_to(ROOT)] += 1
    return folders


def nodes_of_packages(sources: Sequence[Source]) -> Counter[str]:
    """Return the nodes of each package, the largest first."""
    packages: Counter[str] = Counter()
    for source in sources:
        package = source.path.relative_to(PACKAGE).parts[0]
        packages[package.removesuffix(".py")] += source.nodes
    return packages


def words_below(folder: Path) -> int:
    """Return the number of words of the documents in a folder, without its subfolders."""
    return sum(
        len(page.read_text(encoding="utf-8").split()) for page in folder.glob("*.md")
    )


def misplaced_files() -> Iterator[str]:
    """Yield a message for each file and folder that does not belong into the root of the package."""
    for path in sorted(PACKAGE.iterdir()):
        allowed = PACKAGES if path.is_dir() else IN_ROOT
        # A folder without modules is a remnant of an earlier checkout.
        is_left_over = path.is_dir() and not any(path.rglob("*.py"))
        if not is_left_over and path.name not in allowed:
            names = " and ".join(sorted(IN_ROOT))
            yield f"aggregator/{path.name}: the root holds fifteen packages, {names}"


def misplaced_tests() -> Iterator[str]:
    """Yield a message for each test outside the folder of a package, and each other module outside tests/support."""
    folders = {"e2e", "unit/project", "integration/system"}
    for package in PACKAGES:
        folders.update((f"unit/{package}", f"integration/{package}"))
    for path in sorted((ROOT / "tests").rglob("*.py")):
        if path.name in ("__init__.py", "conftest.py"):
            continue
        folder = str(path.parent.relative_to(ROOT / "tests"))
        if path.name.startswith("test_") and folder not in folders:
            yield f"{path.relative_to(ROOT)}: belongs into the folder of a package"
        elif not path.name.startswith("test_") and folder != "support":
            yield f"{path.relative_to(ROOT)}: belongs into the folder tests/support"


def classes_of_one_name(sources: Sequence[Source]) -> Iterator[str]:
    """Yield a message for each name that several public classes have."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(source.name)
    for name, files in sorted(places.items()):
        if len(files) > 1:
            yield f"class {name} is defined in {', '.join(files)}"


def main() -> int:
    """Print the figures, or check them; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.size",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--check", action="store_true", help="fail where a file is in the wrong place"
    )
    options = parser.parse_args()
    sources = [Source(path) for path in sorted(PACKAGE.rglob("*.py"))]
    if options.check:
        broken = [
            *misplaced_files(),
            *misplaced_tests(),
            *classes_of_one_name(sources),
        ]
        print("\n".join(broken) if broken else "layout: ok")
        return 1 if broken else 0
    for name, figure in figures(sources).items():
        print(f"{figure:>10,}  {name}")
    for name, count in nodes_of_packages(sources).most_common():
        print(f"{count:>10,}  nodes in {name}")
    tests = [Source(path) for path in (ROOT / "tests").rglob("*.py")]
    print(f"{sum(source.nodes for source in tests):>10,}  nodes in tests")
    print(f"{words_below(ROOT / 'docs'):>10,}  words in docs")
    print(f"{words_below(ROOT / 'docs' / 'decisions'):>10,}  words in decisions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
