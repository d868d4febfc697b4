"""Every regular expression of the program, and strings on which one may take more than linear time.

`python -m tests.support.patterns` prints the expressions: run in a process of its own, since it has to watch
while the modules are imported.
"""

import ast
import json
import math
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from re import _compiler as compiler  # type: ignore[attr-defined]
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType
from typing import Any, NamedTuple

from tests.conftest import REPOSITORY
from tests.support.programs import run_program
from tests.support.tables import rows

PACKAGE = REPOSITORY / "aggregator"
METHODS = (
    "search",
    "match",
    "fullmatch",
    "finditer",
    "findall",
    "sub",
    "subn",
    "split",
)
# These go on behind a match
_OVER_ALL = ("finditer", "findall", "sub", "subn", "split")


class Expression(NamedTuple):
    """A regular expression as the program has it."""

    where: str  # file:line
    name: str  # what it is assigned to, "" where that is not known
    source: str
    flags: int
    methods: tuple[str, ...]  # how the program uses it

    @property
    def is_bytes(self) -> bool:
        return self.source.startswith("b'") or self.source.startswith('b"')

    @property
    def pattern(self) -> re.Pattern[Any]:
        return re.compile(ast.literal_eval(self.source), self.flags)


# --- collecting --------------------------------------------------------------------------------------------


@cache
def expressions() -> tuple[Expression, ...]:
    """All that the program compiles: at import, for each language, and in calls with a literal."""
    command = [sys.executable, "-m", "tests.support.patterns"]
    run = run_program(command, cwd=REPOSITORY, check=True)
    found: dict[tuple[str, int], Expression] = {}
    uses = _uses()
    compiled = []
    for where, name, source, flags in json.loads(run.stdout):
        used = uses.get(
            (where.split(":")[0] if name.startswith("_") else "", name), set()
        )
        compiled.append(Expression(where, name, source, flags, tuple(used)))
    for one in (*compiled, *_literals()):
        first = found.setdefault((one.source, one.flags), one)
        methods = tuple(sorted({*first.methods, *one.methods}))
        found[one.source, one.flags] = first._replace(methods=methods)
    return tuple(
        one if one.methods else one._replace(methods=("finditer",))
        for one in found.values()
    )


@cache
def _trees() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(REPOSITORY)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


def _uses() -> dict[tuple[str, str], set[str]]:
    """The methods of expressions that are called on each name, private ones by file."""
    uses: dict[tuple[str, str], set[str]] = {}
    for path, tree in _trees().items():
        items = _items(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                name = _last_name(node.value)
                near = items.get(name, set())
                for one in {
                    name,
                    *near,
                    *(far for other in near for far in items.get(other, ())),
                }:
                    if one and one != "re":
                        uses.setdefault(
                            (path if one.startswith("_") else "", one), set()
                        ).add(node.attr)
    return uses


def _items(tree: ast.Module) -> dict[str, set[str]]:
    """For each variable of a loop, argument and tuple, the names of what is in it."""
    items: dict[str, set[str]] = {}
    functions = {
        node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=given) if name in functions:
                arguments = functions[name].args.args
                for argument, value in zip(arguments, given, strict=False):
                    items.setdefault(argument.arg, set()).add(_last_name(value))
            case ast.Assign(targets=targets, value=ast.Tuple(elts=values)):
                for target in targets:
                    named = items.setdefault(_last_name(target), set())
                    named.update(map(_last_name, values))
            case ast.For(target=target) | ast.comprehension(target=target):
                for part in ast.walk(target):
                    if isinstance(part, ast.Name):
                        items.setdefault(part.id, set()).add(_last_name(node.iter))
    return items


def _last_name(node: ast.AST) -> str:
    """The name that stands last in `a.b[0]`, or in `a.b.values()`: b."""
    match node:
        case (
            ast.Subscript(value=value)
            | ast.Call(func=ast.Attribute(attr="get" | "items" | "values", value=value))
        ):
            return _last_name(value)
        case ast.Call(func=function):
            return _last_name(function)
        case ast.Name(id=str(name)) | ast.Attribute(attr=str(name)):
            return name
    return ""


def _literals() -> Iterator[Expression]:
    """`re.search(r"...", text)` and the like."""
    for path, tree in _trees().items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=method),
                    args=[ast.Constant(value=pattern), *_],
                ) if method in METHODS:
                    flags = 0
                    for part in ast.walk(node):
                        if isinstance(part, ast.Attribute) and part.attr.isupper():
                            flags |= getattr(re, part.attr, re.NOFLAG)
                    flags = re.compile(pattern, flags).flags
                    where = f"{path}:{node.lineno}"
                    yield Expression(where, "", repr(pattern), flags, (method,))


def _print_all() -> None:
    """Watch `re` while all modules are imported and the tables of all languages made; print what it saw."""
    import importlib
    import pkgutil

    compiled: list[tuple[str, str, str, int]] = []
    inner = re._compile  # type: ignore[attr-defined]

    def watched(pattern: Any, flags: Any) -> Any:
        made = inner(pattern, flags)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename == re.__file__:
            frame = frame.f_back
        file = "" if frame is None else frame.f_code.co_filename
        if frame is not None and file.startswith(str(PACKAGE)):
            where = file.removeprefix(f"{REPOSITORY}/")
            if isinstance(made.pattern, str | bytes):
                name = _assigned(where, frame.f_lineno)
                compiled.append(
                    (f"{where}:{frame.f_lineno}", name, repr(made.pattern), made.flags)
                )
        return made

    re._compile = watched  # type: ignore[attr-defined]
    import aggregator

    for module in pkgutil.walk_packages(aggregator.__path__, "aggregator."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    _make_tables()
    print(json.dumps(sorted(set(compiled))))


def _make_tables() -> None:
    """Call what compiles expressions when it is first asked."""
    from aggregator.extract import page_verdict
    from aggregator.stories import lexicon
    from aggregator.stories.titles import title
    from aggregator.text import clock_times, scripts

    for kind, places in page_verdict._NOTICES.content.items():
        for place in places:
            if (kind, place) != ("consent", "contains"):
                page_verdict._form(kind, place)
    page_verdict._consent_forms()
    scripts._any_token()
    clock_times.opening("Monday, 9 March, at 9.40 p.m.: The levee has given way.")
    for language in (None, "en", *lexicon.LANGUAGES.content):
        for kind in ("clickbait", "label"):
            title.fault_pattern(kind, language)


def _assigned(path: str, line: int) -> str:
    """The name, attribute, argument or function that the expression made at `line` is given to."""
    assigned = ""
    # The innermost of those around a line comes last
    for node in ast.walk(_trees()[path]):
        if not isinstance(node, ast.stmt | ast.keyword):
            continue
        if node.lineno <= line <= (node.end_lineno or line):
            match node:
                case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
                    assigned = _last_name(target) or assigned
                case ast.FunctionDef(name=str(name)) | ast.keyword(arg=str(name)):
                    assigned = name
    return assigned


# --- strings to attack with --------------------------------------------------------------------------------

_LETTERS = " \n\taAzZ15.,;:-–'\"/<>&=@(|+*#_%éßжЖ中あ한ا\u0661\u00a0\x00"
_COMMON = tuple(rows("support_patterns", "common"))
_ENDS = ("\x00", "!")
_MOST = 6  # spellings of one part of an expression


def attacks(expression: Expression, *, most: int) -> list[tuple[str, str, str]]:
    """At most `most` strings as (before, what is repeated, behind), spread over all there are.

    Half of them are made of the expression's own parts.
    """
    own: dict[tuple[str, str, str], None] = {}
    for before, bodies in _repeats(
        parser.parse(expression.pattern.pattern, expression.flags), ("",)
    ):
        for body in filter(None, bodies):
            for start in before[:3]:
                own.update(dict.fromkeys((start, body, end) for end in _ENDS))
                if start:
                    own.setdefault(("", start + body, ""))
    common = [("", one, "") for one in _COMMON if ("", one, "") not in own]
    return _spread(list(own), most // 2) + _spread(common, most - most // 2)


def _spread(
    all_of_them: Sequence[tuple[str, str, str]], most: int
) -> list[tuple[str, str, str]]:
    if len(all_of_them) <= most:
        return list(all_of_them)
    return [all_of_them[place * len(all_of_them) // most] for place in range(most)]


def _repeats(
    nodes: Any, before: Sequence[str]
) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    """For each repeat, spellings of what leads to it and of what it repeats; also every beginning, whole."""
    here = list(before)
    for code, argument in nodes:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            _, most, inner = argument
            body = _spellings(inner)
            if most > 8:
                yield here, body
            yield from _repeats(inner, here)
        elif code is codes.SUBPATTERN:
            yield from _repeats(argument[3], here)
        elif code is codes.ATOMIC_GROUP:
            yield from _repeats(argument, here)
        elif code is codes.BRANCH:
            for branch in argument[1]:
                yield from _repeats(branch, here)
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            yield from _repeats(argument[1], here if argument[0] > 0 else ("",))
        spelled = _spellings([(code, argument)])
        here = [one + two for one in here for two in spelled][:_MOST]
        if here != list(before):
            yield ("",), here[:2]


def _spellings(nodes: Any) -> list[str]:
    """A few strings that the nodes match."""
    found = [""]
    for code, argument in nodes:
        found = [one + two for one in found for two in _spelled(code, argument)][
            : _MOST * 4
        ]
    return found[:: max(1, len(found) // _MOST)][:_MOST]


def _spelled(code: Any, argument: Any) -> list[str]:
    if code is codes.LITERAL:
        return [chr(argument)]
    if code in (codes.IN, codes.NOT_LITERAL, codes.ANY):
        return _members(code, argument)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, inner = argument
        times = max(least, 1 if most else 0)
        body = [one * times for one in _spellings(inner)]
        return body if least else [*body[: _MOST - 1], ""]
    if code is codes.SUBPATTERN:
        return _spellings(argument[3])
    if code is codes.ATOMIC_GROUP:
        return _spellings(argument)
    if code is codes.BRANCH:
        spelled = [_spellings(branch) for branch in argument[1]]
        return [
            one
            for turn in range(2)
            for branch in spelled
            for one in branch[turn : turn + 1]
        ][:_MOST]
    return [""]


def _members(code: Any, argument: Any) -> list[str]:
    """Some letters that one part of an expression matches: a space, a letter, a digit, a sign."""
    part = parser.SubPattern(parser.State(), [(code, argument)])
    found = compiler.compile(part, re.UNICODE).findall(_LETTERS)
    if not found and code is codes.IN:
        for kind, value in argument:
            if kind is codes.LITERAL:
                found.append(chr(value))
            elif kind is codes.RANGE:
                found.append(chr(value[0]))
    kinds: dict[str, str] = {}
    for letter in found:
        is_kind = (letter.isspace(), letter.isdigit(), letter.isalpha())
        kinds.setdefault(str(is_kind) if any(is_kind) else letter, letter)
    return list(kinds.values())[:_MOST] or [""]


# --- measuring ---------------------------------------------------------------------------------------------

# The largest exponent that counts as linear; a quadratic expression has 2
LIMIT = 1.35
# Characters of a text (config/tuning.yaml, text.max_text_chars)
_LONGEST = 204_800
_ENOUGH_SECONDS = 0.0005  # a time that can be compared
# Where a run is shorter than that even here, it is at most a second for a text
_FIRST_CHARS = 8_192
# Of CPU; past it a run is given up as one that would take for ever
_STOP_SECONDS = 1.0

# These get what strangers wrote as it is, the others of their rooms lines in which no space follows another.
_GET_RAW = tuple(
    f"aggregator/{path}"
    for path in (
        "extract/clean_article", "extract/drafts", "extract/media", "extract/html/", "extract/language/unicode",
        "extract/plain/saved_text", "extract/urls",
    )
)  # fmt: skip
_GET_LINES = tuple(
    f"aggregator/{room}/" for room in ("text", "extract", "stories", "cluster")
)


class Growing(NamedTuple):
    """An expression whose time grows faster than the string."""

    expression: Expression
    method: str
    attack: tuple[str, str, str]
    exponent: float  # of the time, over the length

    def __str__(self) -> str:
        before, body, behind = self.attack
        reported = f"{before!r} + n * {body!r} + {behind!r}"
        return (
            f"{self.expression.where} {self.method}({reported}): n^{self.exponent:.2f}"
        )


def growing(
    expression: Expression, *, most: int, longest: int = _LONGEST
) -> Growing | None:
    """The first attack, of `most`, on which the expression takes more than linear time, up to `longest`."""
    methods = sorted(
        {"finditer" if method in _OVER_ALL else method for method in expression.methods}
    )
    for method in methods:
        for attack in attacks(expression, most=most):
            if (exponent := _exponent(expression, method, attack, longest)) > LIMIT:
                return Growing(expression, method, attack, exponent)
    return None


def grows_on_blanks(expression: Expression, *, longest: int = 25_600) -> str | None:
    """Say if the time of an expression grows faster than a run of blanks, whatever its room promises about blanks."""
    anywhere = expression._replace(where="")
    for method in expression.methods:
        over = "finditer" if method in _OVER_ALL else method
        exponent = _exponent(anywhere, over, ("", " ", "\x00"), longest)
        if not expression.is_bytes and exponent > LIMIT:
            return f"{expression.where} {expression.name} {method}: n^{exponent:.2f}"
    return None


def _exponent(
    expression: Expression, method: str, attack: tuple[str, str, str], longest: int
) -> float:
    """With which power of the length the time grows; 0 where it is hardly any."""
    gets_lines = expression.where.startswith(
        _GET_LINES
    ) and not expression.where.startswith(_GET_RAW)

    def taken(length: int, times: int) -> float:
        before, body, behind = attack
        text = before + body * max(1, length // len(body)) + behind
        text = " ".join(text.split()) if gets_lines else text
        data = text.encode("utf-8", "replace") if expression.is_bytes else text
        run = getattr(expression.pattern, "finditer" if method in _OVER_ALL else method)
        through = partial(deque, maxlen=0) if method in _OVER_ALL else bool
        return min(
            seconds(lambda: through(run(data)), _STOP_SECONDS) for _ in range(times)
        )

    length = 64
    while (least := taken(length, 1)) < _ENOUGH_SECONDS and length * 4 <= min(
        _FIRST_CHARS, longest
    ):
        length *= 4
    if least < _ENOUGH_SECONDS:
        return 0.0
    while least < math.inf:
        for times in (1, 2, 5, 12):  # a slow moment of the machine is asked again
            if times > 1:
                least = taken(length, times)
            most = taken(length * 4, times)
            exponent = math.log(most / least, 4)
            if exponent <= LIMIT or most > 200 * _ENOUGH_SECONDS:
                return exponent
        if length * 16 > longest:
            return exponent
        # A bounded repeat may only have begun to reach its bound
        length, least = length * 4, most
    return math.inf


class _TooLongError(BaseException):
    """Passes through those who catch whatever a parser raises."""


def seconds(act: Callable[[], object], limit: float) -> float:
    """CPU time of what is called; infinite where it is more than `limit`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLongError

    previous = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        began = time.thread_time()
        act()
        return time.thread_time() - began
    except _TooLongError:
        return math.inf
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, previous)


if __name__ == "__main__":
    _print_all()
