"""The command line as people meet it: help whose examples run, completion, slips, Ctrl-C, closed pipes."""

import contextlib
import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from aggregator.cli.application import make_app
from aggregator.store.engine.database import Database
from aggregator.store.read.marks.read_marks import ReadMarks
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.loopback import LoopbackServer, Response
from tests.support.programs import run_program
from tests.support.receiver import SECRET
from tests.support.terminal import DAY, SCRIPT, Terminal, exit_code, jsonl, reports
from tests.support.waiting import PATIENCE_SECONDS, wait_until

FEED = "<rss version='2.0'><channel><title>Gazette</title><item><title>Dam</title></item></channel></rss>"
OPML = "<opml version='2.0'><body><outline type='rss' text='Far' xmlUrl='http://127.0.0.1:9/f'/></body></opml>"


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Each command and each group of them."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(child, (*path, name))


_GROUP_NAMES = ("token", "webhooks", "notify", "sources", "db", "config", "correct")
GROUPS = {(), ("correct", "storyline"), *((name,) for name in _GROUP_NAMES)}
COMMANDS = sorted({*_commands(typer.main.get_command(make_app()))} - GROUPS)
# What needs a terminal of its own or an end of its own; tested elsewhere.
NOT_RUN = {
    ("run",),
    ("mcp",),  # speaks a protocol: test_mcp.py runs it
    ("install-service",),  # writes to the machine: test_service_cli.py runs it
    ("notify", "test"),  # needs a receiver: test_daemon_killed.py runs them
    ("notify", "resume"),
    # needs two affairs that a feed united: test_united_affairs.py
    ("correct", "storyline", "part"),
}


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Any:
    """Runs a command within this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGGREGATOR_DATABASE", raising=False)
    Terminal(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code, said = exit_code(*arguments), capfdbinary.readouterr()
        return code, said.out.decode(), said.err.decode()

    return run


# --- help --------------------------------------------------------------------------------------------------


def _examples(help_text: str) -> list[str]:
    reported = help_text.split("Examples:\n", 1)
    lines = reported[1].splitlines() if len(reported) == 2 else []
    return [line.strip() for line in lines if line.strip().startswith("aggregator ")]


def test_every_command_teaches_by_examples(typed: Any, tmp_path: Path) -> None:
    for command in [*COMMANDS, *GROUPS]:
        code, out, err = typed(*command, "--help")
        assert (code, err) == (0, ""), command
        usage, _, rest = out.partition("\n")
        assert usage.startswith("Usage: ")
        assert f" {' '.join(command)}".rstrip() in usage
        assert "{" not in usage, "a usage line as manuals write it"
        words = re.split(r"\n(?:Options|Arguments|Commands):", rest)[0].split()
        assert len(words) >= 4, (command, "a sentence about what it does")
        assert "[default: 0]" not in out
        listed = out.split("\nCommands:\n")[1:]
        assert not [
            line
            for part in listed
            for line in part.splitlines()
            if line.endswith("...")
        ], "cut off"
        examples = _examples(out)
        assert examples or command in GROUPS, command
        assert all(
            tuple(one.split()[1 : len(command) + 1]) == command for one in examples
        ), command
    assert list(tmp_path.iterdir()) == [tmp_path / "config.yaml"], (
        "asking for help makes nothing"
    )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every example finds what it asks for: files, stories, a correction, a reader."""
    terminal = Terminal(tmp_path_factory.mktemp("stage"))
    terminal.configure("queries:\n  floods:\n    query: levee\n")
    terminal.write("articles/Gazette/a.txt", f"Levee breaks\n\n{FLOOD}")
    terminal.write(
        "page.html",
        f"<html><body><article><h1>Levee</h1><p>{FLOOD}</p></article></body></html>",
    )
    terminal.write("feed.xml", FEED)
    terminal.write("subscriptions.opml", OPML)
    terminal.write("records.jsonl", reports())
    terminal.write("table.csv", f'headline,story\nLevee breaks,"{FLOOD}"\n')
    terminal.write("dump.jsonl.gz", gzip.compress(reports().encode()))
    labelled = [
        {"id": "1", "title": "a", "text": FLOOD, "published": DAY, "cluster": "x"},
        {
            "id": "2",
            "title": "b",
            "text": FLOOD_ELSEWHERE,
            "published": DAY,
            "cluster": "x",
        },
    ]
    terminal.write("labelled.jsonl", jsonl(*labelled))
    terminal.write("labelled.jsonl.gz", gzip.compress(jsonl(*labelled).encode()))
    more = {
        "id": "4",
        "source": "Echo",
        "title": "Ferry late",
        "text": STRIKE[::-1],
        "published": DAY,
    }
    terminal.write("more.jsonl", jsonl(more))
    starred = Path("tests/data/archives/freshrss-starred.json")
    terminal.write("starred.json", starred.read_bytes())
    _within(terminal.folder, "ingest", "records.jsonl", "more.jsonl")
    others = [one["id"] for one in terminal.stories() if one["article_count"] == 1]
    _within(terminal.folder, "correct", "merge", *others)
    _within(terminal.folder, "token", "create", "old", "--scope", "read")
    with contextlib.closing(Database(terminal.database)) as database:
        ReadMarks(database, lambda: datetime.now(UTC)).sign_in("anna")
    _within(terminal.folder, "export", "--output", "everything.jsonl.zst")
    _within(terminal.folder, "export", "--output", "everything.jsonl")
    return terminal.folder


def _within(folder: Path, *arguments: str) -> None:
    """Run a command in this process; it has to end well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("AGGREGATOR_DATABASE", raising=False)
        assert exit_code(*arguments) == 0


def _placeholders(folder: Path, url: str) -> dict[str, str]:
    terminal = Terminal.__new__(Terminal)
    terminal.folder = folder
    flood, other = terminal.stories()
    if flood["title"].startswith(("=", "Ferry")):
        flood, other = other, flood
    return {
        "FOLDER": "articles",
        "URL": url,
        "SOURCE": "Courier",
        "TOKEN": "old",
        "STORY": flood["id"],
        "ANOTHER-STORY": other["id"],
        "ARTICLE": flood["articles"][0]["id"],
        "ANOTHER-ARTICLE": flood["articles"][1]["id"],
        "/etc/aggregator/config.yaml": "config.yaml",
        "postgresql://me@localhost/news": "other.db",
    }


def _all_examples() -> list[tuple[tuple[str, ...], str]]:
    """Each example with its command, out of the docstrings that the help is made of."""
    found = []
    for command in COMMANDS:
        part: Any = typer.main.get_command(make_app())
        for name in command:
            part = part.commands[name]
        found += [(command, one) for one in _examples(part.help or "")]
    return found


@pytest.mark.later
def test_every_example_runs(
    stage: Path, tmp_path: Path, typed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is printed; words in capitals stand for what is there, and each finds the folder as it was."""
    routes = {
        "/feed": Response(body=FEED, content_type="application/rss+xml"),
        "/hook": Response(204),
    }
    with LoopbackServer(routes) as server:
        url = server.url("/feed")
        known = tmp_path / "known"
        shutil.copytree(stage, known)
        with (known / "config.yaml").open("a") as config:
            config.write(
                f"webhooks: [{{name: desk, url: '{server.url('/hook')}', secret: {SECRET}}}]\n"
            )
        monkeypatch.chdir(known)
        code, _, err = typed("sources", "add", url, "--name", "Courier")
        assert code == 0, err
        for number, (command, example) in enumerate(_all_examples()):
            if command in NOT_RUN:
                continue
            folder = tmp_path / str(number)
            shutil.copytree(known, folder)
            monkeypatch.chdir(folder)
            words = shlex.split(example)[1:]
            if command == ("sources", "add"):
                assert typed("sources", "remove", "Courier")[0] == 0
            names = _placeholders(folder, url)
            if command == ("correct", "move"):
                names["STORY"] = names["ANOTHER-STORY"]
            words = [names.get(word, word) for word in words]
            if command == ("correct", "storyline", "leave"):
                both = names["STORY"], names["ANOTHER-STORY"]
                assert typed("correct", "storyline", "join", *both)[0] == 0
            if command == ("db", "restore"):
                Path(words[2]).parent.mkdir(exist_ok=True)
                assert typed("db", "backup", "--to", words[2])[0] == 0
            said = _run(typed, monkeypatch, words)
            assert said[0] == 0, (example, said)


def _run(
    typed: Any, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> tuple[int, str, str]:
    """With `<` and `>` as a shell has them."""
    arguments, out = list(words), None
    if ">" in arguments:
        out = arguments[-1]
        arguments = arguments[:-2]
    if "<" in arguments:
        with Path(arguments[-1]).open(encoding="utf-8") as given:
            monkeypatch.setattr(sys, "stdin", given)
            said: tuple[int, str, str] = typed(*arguments[:-2])
    else:
        said = typed(*arguments)
    if out is not None:
        assert said[1], "something to keep"
    return said


# --- completion --------------------------------------------------------------------------------------------


def _completed(folder: Path, shell: str, typed: str) -> list[str]:
    """What a shell is offered for the last word of what was typed."""
    words = typed.split(" ")
    asked = {
        "bash": {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)},
        "zsh": {"_TYPER_COMPLETE_ARGS": typed},
        "fish": {
            "_TYPER_COMPLETE_ARGS": typed,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    }[shell]
    environment = {**os.environ, "_AGGREGATOR_COMPLETE": f"complete_{shell}", **asked}
    ended = forked.run([], folder, environment)
    assert b"Traceback" not in ended.err, ended.err
    return ended.out.decode().splitlines()


@pytest.mark.later
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands_and_options(stage: Path, shell: str) -> None:
    def offered(typed: str) -> str:
        return "\n".join(_completed(stage, shell, typed))

    assert "--min-reports" in offered("aggregator stories --min-r")
    if shell == "bash":  # the others differ in how they ask, not in what they are told
        assert "stories" in offered("aggregator sto")
        assert "export" in offered("aggregator sources exp")
        formats = offered("aggregator stories --format ")
        assert all(name in formats for name in ("table", "json", "jsonl", "csv"))


@pytest.mark.later
def test_the_script_for_bash_completes_in_a_real_bash(stage: Path) -> None:
    # A shell finds out which one it is by the process that asks: true keeps bash from giving way to it.
    reported = run_program(
        ["bash", "-c", f"{SCRIPT} --show-completion; true"], check=True
    )
    script = reported.stdout
    asked = (
        f"{script}\nPATH={SCRIPT.parent}:$PATH; COMP_WORDS=(aggregator stories --format js); COMP_CWORD=3; "
        "_aggregator_completion aggregator; echo ${COMPREPLY[@]}"
    )
    shown = run_program(["bash", "-c", asked], check=True, cwd=stage)
    assert shown.stdout.split() == ["json", "jsonl"]


def _stories(folder: Path) -> list[dict[str, Any]]:
    terminal = Terminal.__new__(Terminal)
    terminal.folder = folder
    return terminal.stories()


# --- slips -------------------------------------------------------------------------------------------------


def test_slips_are_answered_with_what_was_meant(
    stage: Path, typed: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(stage)
    flood = _stories(stage)[0]
    id_, article = flood["id"], flood["articles"][0]["id"]
    slip = id_[:4] + ("a" if id_[4] != "a" else "b") + id_[5:]
    assert (
        f"an article; show its story with: aggregator story {id_}"
        in typed("story", article)[2]
    )
    assert "It stands alone: no other story is near enough." in typed("explain", id_)[1]
    assert "aggregator search TEXT" in typed("story", "1")[2]
    assert "--min-reports" in typed("stories", "--min-report", "2")[2]
    assert "'table', 'json', 'jsonl', 'csv'" in typed("stories", "--format", "xml")[2]
    assert "config.yaml has: floods" in typed("stories", "--saved", "flods")[2]
    for arguments in (
        ("story", slip),
        ("stories", "--min-report", "2"),
        ("stories", "--saved", "flods"),
    ):
        assert typed(*arguments)[0] == 2


def test_what_is_not_utf_8_is_an_error_in_words(
    stage: Path, typed: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(stage)
    for arguments in (
        ("story",),
        ("stories", "--folder"),
        ("feed", "--query"),
        ("forget",),
    ):
        code, out, said = typed(*arguments, "caf\udce9")
        assert (code, out) == (2, "")
        assert said.endswith(": this is not UTF-8 text\n")


def test_the_name_of_a_file_need_not_be_utf_8(tmp_path: Path, typed: Any) -> None:
    (tmp_path / "caf\udce9.xml").write_text(FEED)
    assert typed("sources", "check", "caf\udce9.xml")[:2] == (
        0, "caf\\udce9.xml: rss20, 1 entry, 'Gazette'\n  Dam\n",
    )  # fmt: skip


def test_a_number_with_too_many_digits_is_out_of_range(
    stage: Path, typed: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(stage)
    for arguments in (
        ("stories", "--min-outlets"),
        ("stories", "--min-reports"),
        ("sources", "show", "SOURCE", "--limit"),
    ):
        code, out, said = typed(*arguments, "9" * 20)
        assert (code, out) == (2, "")
        assert "less than or equal to" in said


# --- ended -------------------------------------------------------------------------------------------------


def _interrupted(folder: Path, when_there_is: str, *program: str | Path) -> bytes:
    """What an ingest says that has read some records and waits for more: it cannot end by itself."""
    Terminal(folder)
    running = subprocess.Popen(
        [*program, "ingest", "-v", "-"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # As from a terminal, also where a shell runs these tests in the background and has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    running.stdin.write(reports().encode())
    running.stdin.flush()
    try:
        wait_until((folder / when_there_is).exists, when_there_is)
        running.send_signal(signal.SIGINT)
        # Its input stays open: at the end of that it would end well
        running.wait(PATIENCE_SECONDS)
    finally:
        running.kill()
        out, err = running.communicate()
    assert (running.returncode, out) == (130, b""), err
    assert b"Traceback" not in err
    return err


def test_ctrl_c_says_what_became_of_the_work(tmp_path: Path) -> None:
    err = _interrupted(tmp_path, "aggregator.db-wal", SCRIPT)  # it is at work
    assert b"Type the same command to continue" in err


# The signal comes while a library holds the main thread: in a callback of the garbage collector, where Python
# only reports what is raised; in an import that fails with an error of its own, as that of numpy does.
LOSING = """
import gc, sys, threading, time
from pathlib import Path
from aggregator.cli.application import main

how = sys.argv.pop(1)

def is_due():
    # A signal never reaches another thread, and the collector runs in all of them.
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and Path("aggregator.db-wal").exists() and not Path("inside").exists()

def wait_to_be_interrupted():
    Path("inside").touch()
    while True:
        time.sleep(0.01)

class Importer:
    def find_spec(self, name, path=None, target=None):
        if is_due():
            try:
                wait_to_be_interrupted()
            except KeyboardInterrupt:
                raise ImportError(f"{name} failed to import") from None

def collecting(phase, told):
    if is_due():
        wait_to_be_interrupted()

if how == "lost":
    gc.callbacks.append(collecting)
    gc.set_threshold(100)
else:
    sys.meta_path.insert(0, Importer())
main()
"""


@pytest.mark.later
@pytest.mark.parametrize("how", ["lost", "replaced"])
def test_ctrl_c_ends_the_command_also_where_a_library_loses_it(
    tmp_path: Path, how: str
) -> None:
    err = _interrupted(tmp_path, "inside", sys.executable, "-c", LOSING, how)
    assert b"Type the same command to continue" in err


LOADING = """
import sys, time
from pathlib import Path

class Importer:
    def find_spec(self, name, path=None, target=None):
        if name == waits_at:
            Path("inside").touch()
            time.sleep(60)

waits_at = sys.argv.pop(1)
sys.meta_path.insert(0, Importer())
from aggregator.__main__ import main
main()
"""
# The first one of all, one of a library, and the first and the last of the program.
MODULES = (
    "logging",
    "aggregator.cli.application",
    "sqlalchemy",
    "aggregator.store.migrate",
)


@pytest.mark.later
@pytest.mark.parametrize("module", MODULES)
def test_ctrl_c_is_quiet_while_the_program_is_loaded(
    tmp_path: Path, module: str
) -> None:
    _interrupted(tmp_path, "inside", sys.executable, "-c", LOADING, module)


@pytest.mark.parametrize("arguments", ["stories --format csv", "config show"])
def test_a_closed_pipe_is_quiet_and_well(stage: Path, arguments: str) -> None:
    piped = f"{SCRIPT} {arguments} | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", piped], cwd=stage, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_closed_standard_output_is_an_error_in_words(stage: Path) -> None:
    typed = f"{SCRIPT} stories --format csv >&-"
    ended = subprocess.run(
        ["bash", "-c", typed], cwd=stage, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (
        5,
        b"aggregator: standard output is closed\n",
    )


@pytest.mark.later
@pytest.mark.parametrize(
    "arguments", ["stories --format csv", "export --output -", "config show"]
)
def test_a_full_disk_under_standard_output_is_an_error_in_words(
    stage: Path, arguments: str
) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [SCRIPT, *arguments.split()],
            cwd=stage,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    said = b"aggregator: standard output cannot be written: No space left on device\n"
    assert (ended.returncode, ended.stderr) == (5, said)
