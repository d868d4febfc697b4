"""Every log call names an event, and docs/monitoring.md has a list of all events."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
METHODS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
LEVEL = re.compile(r"^- \*\*([a-z]+)\*\*: (.+)$", re.MULTILINE)


@cache
def calls() -> list[tuple[str, str, str]]:
    """Place, method and event ("" if it has none) of every log call."""
    rows = []
    for path in sorted((ROOT / "aggregator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and is_log_call(node.func):
                assert isinstance(node.func, ast.Attribute)
                place = f"{path.relative_to(ROOT)}:{node.lineno}"
                rows.append((place, node.func.attr, event_of(node)))
    return rows


def is_log_call(function: ast.expr) -> bool:
    """`log.info`, `_log.info` or `logging.getLogger(...).info`; not `math.log`."""
    if not isinstance(function, ast.Attribute) or function.attr not in METHODS:
        return False
    name = ast.unparse(function.value)
    return bool(re.fullmatch(r"(\w+_|_)?log(ger)?", name)) or name.startswith(
        "logging.getLogger("
    )


def event_of(call: ast.Call) -> str:
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            for key, value in zip(
                keyword.value.keys, keyword.value.values, strict=True
            ):
                if (
                    isinstance(key, ast.Constant)
                    and key.value == "event"
                    and isinstance(value, ast.Constant)
                ):
                    return str(value.value)
    return ""


def documented() -> dict[str, set[str]]:
    """Event → levels. A level has its events in one line; in brackets is what one means."""
    text = (ROOT / "docs" / "monitoring.md").read_text()
    section = text.partition("\n## Events\n")[2].partition("\n## ")[0]
    table: dict[str, set[str]] = {}
    for level, line in LEVEL.findall(section):
        events = re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", line))
        assert events == sorted(set(events)), (
            "each list is in alphabetical order, without repetitions"
        )
        for event in events:
            table.setdefault(event, set()).add(level)
    return table


@pytest.mark.later
def test_every_log_call_names_an_event() -> None:
    found = calls()
    assert len(found) > 50
    assert [
        place
        for place, _, event in found
        if not re.fullmatch(r"[a-z]+(_[a-z]+)+", event)
    ] == []


@pytest.mark.later
def test_the_list_has_exactly_the_events_of_the_code() -> None:
    assert sorted({event for _, _, event in calls()}) == sorted(documented())


@pytest.mark.slow
def test_the_list_states_the_level_of_each_call() -> None:
    table = documented()
    for place, method, event in calls():
        level = "error" if method == "exception" else method
        levels = table[event]
        assert len(levels) > 1 if level == "log" else level in levels, place
