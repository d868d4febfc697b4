"""The documents tell the program as it is: commands, options, keys, names and links in them exist."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from aggregator.cli.application import make_app
from aggregator.config.delivery_settings import NotifyConfig, WebhookConfig
from aggregator.config.settings import Config
from aggregator.config.source_settings import SourceConfig
from aggregator.config.story_query import SavedQuery
from aggregator.publish.story_json import ArticleJson, StoryJson
from tests.conftest import REPOSITORY
from tests.support.committed import committed
from tests.support.programs import run_program
from tests.support.tables import rows

DOCUMENTS = sorted(
    [
        REPOSITORY / "README.md",
        REPOSITORY / "CHANGELOG.md",
        REPOSITORY / "CONTRIBUTING.md",
        REPOSITORY / "SECURITY.md",
        REPOSITORY / "examples" / "README.md",
        *(REPOSITORY / "docs").rglob("*.md"),
    ]
)
_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?:\]\(|src=\")([^)\s\"]+)[)\"]")
_CONTINUED = re.compile(r"^( *(?:\S*/)?aggregator .*)\\\n\s*", re.MULTILINE)
_REST_OF_SHELL = re.compile(r"\s(?:<|>|\|\|?|&&)\s")
_PROGRAM = re.compile(r"(?:^|[\s/])aggregator(?=\s+[-a-z])(.*)$")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_DOTTED = re.compile(r"[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+")
# Options of other programs that the documents call.
_FOREIGN_OPTIONS = set(rows("docs", "foreign options"))
_PICTURE_BYTES = 250_000


def _named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def _lines_of_code(text: str) -> list[str]:
    """Inline code, and each line of code blocks (fenced or indented); SQL and JSON are not ours to judge.

    A call of the program that a backslash continues is one line.
    """
    text = _CONTINUED.sub(r"\1", text)
    without = _FENCED.sub("", text)
    blocks = [line[4:] for line in without.splitlines() if line.startswith("    ")]
    blocks += [
        line
        for kind, block in _FENCED.findall(text)
        if kind in ("", "sh")
        for line in block.splitlines()
    ]
    return [*_INLINE.findall(without), *blocks]


def _code_in_documents() -> Iterator[tuple[str, str]]:
    for path in DOCUMENTS:
        for line in _lines_of_code(path.read_text(encoding="utf-8")):
            yield _named(path), line


@cache
def _program() -> Any:
    return typer.main.get_command(make_app())


def _options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts} | {
        "--help",
        "-h",
    }


def _every_command(command: Any) -> Iterator[Any]:
    yield command
    for child in getattr(command, "commands", {}).values():
        yield from _every_command(child)


def _calls() -> list[tuple[str, str]]:
    """Every call of the program in the documents: (document, its arguments as written)."""
    found = []
    for name, line in _code_in_documents():
        bare = line.split("  #")[0].removesuffix("`").replace("...", "")
        if (call := _PROGRAM.search(bare)) is not None:
            found.append((name, call[1].strip()))
    return found


def _refusal(arguments: str) -> str | None:
    """What of a call the program does not know; None where all is well."""
    command = _program()
    everywhere = _options(command)
    for word in shlex.split(_REST_OF_SHELL.split(arguments, maxsplit=1)[0]):
        if word.startswith("-") and word != "-":
            if word.split("=")[0] not in everywhere | _options(command):
                return f"{word} is no option of {command.name}"
        elif hasattr(command, "commands"):
            if word not in command.commands:
                return f"{word} is no command"
            command = command.commands[word]
    return None


def test_every_command_that_is_written_down_exists() -> None:
    calls = _calls()
    assert len(calls) > 20
    assert [
        (name, call, _refusal(call)) for name, call in calls if _refusal(call)
    ] == []


def test_every_option_that_is_written_down_exists() -> None:
    known = _FOREIGN_OPTIONS | {
        option for command in _every_command(_program()) for option in _options(command)
    }
    scripts = [
        *(REPOSITORY / "benchmarks").rglob("*.py"),
        *(REPOSITORY / "training").glob("*.py"),
    ]
    known |= {
        option
        for path in scripts
        for option in _OPTION.findall(path.read_text(encoding="utf-8"))
    }
    unknown = [
        (name, option)
        for name, line in _code_in_documents()
        for option in _OPTION.findall(line)
        if option not in known
    ]
    assert unknown == []


def test_every_command_is_written_down() -> None:
    """What nobody can read about is not there; groups are named by their commands."""
    said = {" ".join(call.split()[:depth]) for _, call in _calls() for depth in (1, 2)}
    groups = {
        name: getattr(command, "commands", None)
        for name, command in _program().commands.items()
    }
    wanted = {
        f"{group} {name}" for group, inner in groups.items() if inner for name in inner
    }
    wanted |= {name for name, inner in groups.items() if not inner}
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    missing = {
        name
        for name in wanted
        if name not in said and not re.search(rf"`{re.escape(name.split()[-1])}`", text)
    }
    assert missing == set()


def test_every_make_target_that_is_written_down_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    asked = {
        target
        for _, line in _code_in_documents()
        for target in re.findall(r"^make ([a-z]+)", line.strip())
    }
    assert {"run", "test", "eval", "picture"} <= asked
    assert asked - targets == set()


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key, with its section: `server.port`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _keys(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_key_stands_in_config_yaml_with_a_comment() -> None:
    lines = committed("config.yaml").splitlines()
    for key in _keys(Config):
        section, _, name = key.rpartition(".")
        start = 0 if not section else lines.index(f"{section}:")
        at = next(
            (
                n
                for n in range(start, len(lines))
                if re.match(rf"(?:# )?\s*{name}:", lines[n])
            ),
            None,
        )
        assert at is not None, f"{key} does not stand in config.yaml"
        assert "#" in lines[at] or lines[at - 1].startswith("#"), (
            f"{key} has no comment in config.yaml"
        )


@pytest.mark.parametrize(
    "item", [SourceConfig, SavedQuery, WebhookConfig, NotifyConfig]
)
def test_every_key_of_an_item_is_named_in_config_yaml(item: type[BaseModel]) -> None:
    text = committed("config.yaml")
    keys = [field.alias or name for name, field in item.model_fields.items()]
    assert [key for key in keys if not re.search(rf"\b{key}\b", text)] == []


def test_names_of_code_in_the_documents_exist() -> None:
    """`grouping/place.py`, `inbox.accept`, `fetch.threads`: files, or words of code, rules or
    settings.
    """
    sources = [
        *(REPOSITORY / "aggregator").rglob("*.py"),
        *(REPOSITORY / "training").glob("*.py"),
    ]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    texts += [
        committed("config.yaml"),
        (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"),
    ]
    texts.append(
        (REPOSITORY / "aggregator" / "config/tuning.yaml").read_text(encoding="utf-8")
    )
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    missing = []
    for path in (REPOSITORY / "docs").rglob("*.md"):
        for code in _INLINE.findall(_FENCED.sub("", path.read_text(encoding="utf-8"))):
            if re.fullmatch(r"\w[\w./-]*\.(?:py|yaml|toml|json|service)", code):
                places = (REPOSITORY, REPOSITORY / "aggregator")
                if not any((place / code).exists() for place in places):
                    missing.append((_named(path), code))
            elif _DOTTED.fullmatch(code) and not code.endswith(
                (".db", ".lock", ".rss")
            ):
                missing += [
                    (_named(path), code)
                    for part in code.split(".")
                    if part not in words
                ]
    assert missing == []


def test_the_example_of_a_story_has_every_key() -> None:
    """The text beside it says so, and readers write their code by it."""
    text = (REPOSITORY / "docs" / "querying.md").read_text(encoding="utf-8")
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert set(example) == set(StoryJson.__struct_fields__)
    (article,) = example["articles"]
    assert set(article) == set(ArticleJson.__struct_fields__)


def test_the_figures_of_eval_are_defined() -> None:
    text = (REPOSITORY / "docs" / "evaluation.md").read_text(encoding="utf-8")
    definitions = text.partition("## Events")[0]
    names = (
        *("alone", "split", "by_outlets", "storylines", "months", "failed_jobs"),
        *("events", "several", "in_one_place", "pairs", "repeats", "pure", "whole"),
    )
    for name in names:
        assert f"**{name}**" in definitions or f"`{name}`" in definitions, name


def test_every_relative_link_leads_somewhere() -> None:
    broken = [
        (_named(path), link)
        for path in DOCUMENTS
        for link in _LINK.findall(path.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", link)
        and not (path.parent / link.split("#")[0]).exists()
    ]
    assert broken == []


def _anchors(text: str) -> set[str]:
    """The fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _FENCED.sub("", text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def test_every_fragment_of_a_link_is_a_heading() -> None:
    broken = []
    for path in DOCUMENTS:
        for link in _LINK.findall(path.read_text(encoding="utf-8")):
            file, _, fragment = link.partition("#")
            place = path.parent / file if file else path
            if not fragment or ":" in file or place.suffix != ".md":
                continue
            if fragment not in _anchors(place.read_text(encoding="utf-8")):
                broken.append((_named(path), link))
    assert broken == []


def test_every_decision_can_be_reached() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    assert [
        p.name
        for p in (REPOSITORY / "docs" / "decisions").glob("*.md")
        if p.name not in text
    ] == []


def test_every_decision_that_is_named_exists() -> None:
    """By its number, also in the alert rules, config.yaml and the program."""
    there = {
        int(path.name[:4])
        for path in (REPOSITORY / "docs" / "decisions").glob("[0-9]*.md")
    }
    places = [*DOCUMENTS, *REPOSITORY.glob("*.*ml"), *REPOSITORY.glob("docs/*.yaml")]
    places += [
        path
        for ending in ("py", "yaml")
        for path in (REPOSITORY / "aggregator").rglob(f"*.{ending}")
    ]
    missing = [
        (_named(path), number)
        for path in places
        for number in re.findall(r"\bADR (\d+)", path.read_text(encoding="utf-8"))
        if int(number) not in there
    ]
    assert missing == []


def test_the_picture_is_a_small_png() -> None:
    data = (REPOSITORY / "docs" / "story-page.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    assert len(data) <= _PICTURE_BYTES


def test_no_file_names_a_path_of_this_machine() -> None:
    listed = run_program(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY)  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("no git checkout: there is no list of the project's files")
    # A path of one part ("/app") would be found in addresses and texts that have nothing to do with it.
    places = [str(place) for place in (REPOSITORY, Path.home()) if len(place.parts) > 2]
    found = []
    for name in listed.stdout.splitlines():
        path = REPOSITORY / name
        content = path.read_bytes() if path.is_file() else b""
        found += [(name, place) for place in places if place.encode() in content]
    assert found == []
