"""Help texts of the command line: each command, option and argument has one that begins with a verb."""

import re
from collections.abc import Iterator

import pytest
import typer

from aggregator.cli.application import make_app

VERBS = re.compile(
    "(Add|Apply|Allow|Back|Check|Collect|Compare|Continue|Copy|Correct|Create|Delete|Erase|Exit|Explain|Export|"
    "Find|Give|Group|Import|Install|List|Log|Manage|Measure|Merge|Move|Name|Overwrite|Poll|Print|Put|Read|"
    "Recompute|Regroup|Remove|Render|Restore|Resume|Revoke|Run|Save|Search|Select|Send|Show|Shrink|Skip|Split|Stop|Undo|"
    r"Upgrade|Use|Write)\b"
)
# Of the first sentence of a command's help: lists of commands cut longer ones at 80 columns
MOST_CHARS = 58


def _help_texts() -> Iterator[tuple[str, str, bool]]:
    """Walk the application; yields the path and help of each command, option and argument."""
    commands = [("aggregator", typer.main.get_command(make_app()))]
    while commands:
        path, command = commands.pop()
        yield path, command.help or "", True
        for parameter in command.params:
            # A removed option that says what to type instead
            if getattr(parameter, "hidden", False):
                continue
            yield (
                f"{path} {parameter.opts[0]}",
                getattr(parameter, "help", None) or "",
                False,
            )
        commands += [
            (f"{path} {name}", one)
            for name, one in getattr(command, "commands", {}).items()
        ]


@pytest.mark.parametrize(
    ("path", "text", "is_command"),
    [pytest.param(*one, id=one[0]) for one in _help_texts()],
)
def test_help_begins_with_a_verb(path: str, text: str, is_command: bool) -> None:
    assert text, f"{path} has no help"
    assert VERBS.match(text), f"{path}: {text}"
    if is_command and path != "aggregator":
        sentence = text.partition("\n")[0].partition(". ")[0]
        assert len(sentence) <= MOST_CHARS, f"{path}: {sentence}"


def test_the_help_of_a_filter_is_a_sentence_and_names_its_value() -> None:
    """An option of a filter is composed of a verb and the description that pages and the API share."""
    helps = {path: text for path, text, _ in _help_texts()}
    for command in ("stories", "feed"):
        assert helps[f"aggregator {command} --fold"].startswith(
            "Select stories of different storylines (`storylines`)"
        )
    values = {}
    for path in ("stories", "search"):
        command = typer.main.get_command(make_app()).commands[path]  # type: ignore[attr-defined]
        values[path] = {one.name: one.metavar for one in command.params}
    assert values["stories"]["fold"] == "storylines"
    assert values["stories"]["min_outlets"] == "N"
    assert values["stories"]["since"] == values["search"]["until"] == "TIME"
    assert "`eval` alone reads cluster" in helps["aggregator eval --map"]
