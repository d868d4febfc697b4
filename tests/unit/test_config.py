"""config.yaml: the shipped file says what is in force anyway, and every mistake is named by its line."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from aggregator.config import Config, SourceConfig, absolute_database_url, seconds
from aggregator.config_file import load, shipped_config_text
from aggregator.errors import ConfigError
from tests.conftest import REPOSITORY
from tests.unit.committed import committed


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AGGREGATOR_DATABASE", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(written(folder, text))
    return str(caught.value).splitlines()


# --- the shipped file --------------------------------------------------------------------------------------


def keys_of(model: type[BaseModel], *above: str) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        is_part = isinstance(inner, type) and issubclass(inner, BaseModel)
        found |= keys_of(inner, *above, name) if is_part else {(*above, name)}  # type: ignore[arg-type]
    return found


def test_every_key_of_the_shipped_file_is_the_default(tmp_path: Path) -> None:
    shipped, built_in = load(written(tmp_path, committed("config.yaml"))), Config()
    left_out = {"sources": (), "database": None}  # the samples; and where the file itself lies
    assert shipped.model_copy(update=left_out).model_dump() == built_in.model_dump()
    assert shipped.sources


def test_every_key_stands_in_the_shipped_file() -> None:
    text = committed("config.yaml")
    values: dict[str, Any] = yaml.safe_load(text)
    there = {
        path
        for name, value in values.items()
        for path in ([(name, key) for key in value] if isinstance(value, dict) and value else [(name,)])
    }
    commented = {("public_url",), ("database",)}
    assert keys_of(Config) == there | commented  # the database is where the file is, unless it is said
    assert all(f"# {name}:" in text or (name,) in there for (name,) in commented)


def test_the_program_carries_the_file_that_lies_there() -> None:
    assert shipped_config_text() == (REPOSITORY / "config.yaml").read_text(encoding="utf-8")


def test_every_key_of_a_source_is_named_in_the_shipped_file() -> None:
    text = committed("config.yaml")
    assert not [name for name in SourceConfig.model_fields if name not in text]


# --- mistakes ----------------------------------------------------------------------------------------------


def test_all_mistakes_are_named_at_once_each_with_its_line(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path,
        "log:\n  level: loud\nserver:\n  port: 70000\n  prot: 1\nfetch:\n  interval: 15\nfeed: {}\n",
    )
    assert [line.split(": ")[:2] for line in said] == [
        ["config.yaml:2", "log.level"],
        ["config.yaml:4", "server.port"],
        ["config.yaml:5", "server.prot"],
        ["config.yaml:7", "fetch.interval"],
        ["config.yaml:8", "feed"],
    ]
    assert said[2].endswith("there is no such key")
    assert "90s, 15m, 6h or 2d" in said[3]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("log: {}\nserver: {}\nlog: {}\n", 3, "stands twice, first in line 1"),
        ("database: mysql://x\n", 1, "mysql:// is not supported"),
        ("log: {}\nrules:\n  events:\n    nope: 1\n", 4, "there is no such rule"),
        ("rules:\n  events:\n    window_days: long\n", 3, "like the shipped 14.0"),
        ("rules:\n  nothing:\n    a: 1\n", 2, "there is no such section"),
        ("sources:\n  - folder: x\n    feed: https://a.example/\n", 2, "exactly one of"),
        ("sources:\n  - feed: ftp://a.example/\n", 2, "no http or https address"),
        ("sources:\n  - name: x\n    folder: y\n    timezone: Mars/Base\n", 4, "Europe/Berlin"),
        ("fetch:\n  allow_private: [10.0.0.1/8]\n", 2, "host bits"),
        ("- a\n- b\n", 1, "expected `key: value` lines"),
        ("log: [a\n", 2, "expected"),
        ("a: !!python/object:os.system x\n", 1, "could not determine a constructor"),
        ("log: &a\n  level: *a\n", 1, "alias"),
        ("server: 5\n", 1, "server: give `key: value` lines below it"),
        ("fetch:\n  allow_private: yes\n", 2, "a list of networks, e.g. [192.168.1.0/24]"),
        ("fetch:\n  allow_private_links: yes\n", 2, "a list of addresses"),
        ("fetch:\n  allow_private_links: [192.168.1.9]\n", 2, "give http:// or https://"),
        ("sources: yes\n", 1, "sources: give a list"),
        ("retention:\n  compress_after: 5s\n  stories_after: 3s\n", 3, "give a day or more"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    said = mistakes(tmp_path, text)
    assert len(said) == 1
    assert said[0].startswith(f"config.yaml:{line}: ")
    assert words in said[0]


def test_mistakes_of_one_kind_come_in_the_order_of_lines(tmp_path: Path) -> None:
    said = mistakes(tmp_path, "server: 5\nsources: 5\nfetch:\n  allow_private: 5\nlog: 5\n")
    assert [line.split(":")[1] for line in said] == ["1", "2", "4", "5"]


@pytest.mark.parametrize("data", [b"\x00", b"\xff\xfe\x00a", b"\x80"])
def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(data)
    with pytest.raises(ConfigError, match=r"config\.yaml"):
        load(file)


def test_a_file_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load(tmp_path / "nowhere.yaml")


@given(st.text(max_size=200))
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    file = Path("any.yaml")
    file.write_text(text, encoding="utf-8", errors="replace")
    with suppress(ConfigError):
        assert isinstance(load(file), Config)


# --- YAML as people mean it --------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["no", "on", "yes", "off", "y", "1:30", "0x10", "2026-01-01", "1_000", "~x"])
def test_words_stay_words(tmp_path: Path, word: str) -> None:
    assert load(written(tmp_path, f"publish:\n  title: {word}\n")).publish.title == word


def test_numbers_are_decimal(tmp_path: Path) -> None:
    assert load(written(tmp_path, "server:\n  port: 0010\n")).server.port == 10
    book = load(written(tmp_path, "rules:\n  events:\n    window_days: 1e1\n")).rule_book
    assert book.overrides["events"]["window_days"] == 10.0


@pytest.mark.parametrize("value", ["yes", "on", "1", "'true'"])
def test_only_true_and_false_switch(tmp_path: Path, value: str) -> None:
    assert mistakes(tmp_path, f"publish:\n  index: {value}\n")[0].startswith("config.yaml:2: publish.index")


def test_a_key_without_a_value_keeps_its_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, "log:\nsources:\n")) == load(written(tmp_path, ""))


# --- durations and places ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("15m", 900), ("6h", 21600), ("2 d", 172800)])
def test_durations_carry_their_unit(text: str, value: int) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-5m", "1.5h", "m"])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="90s, 15m"):
        seconds(text)


def test_relative_paths_are_meant_from_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    folder.mkdir()
    config = load(written(folder, "database: news.db\n"))
    assert config.database_url == f"sqlite:///{folder}/news.db"
    assert config.path("samples") == folder / "samples"
    assert config.path("/srv/x") == Path("/srv/x")


def test_the_environment_goes_before_the_file_and_the_command_line_before_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "database: of-file.db\n")
    assert load(file).database_url.endswith("/of-file.db")
    monkeypatch.setenv("AGGREGATOR_DATABASE", "postgresql://news@db.example/news")
    assert load(file).database_url == "postgresql+psycopg://news@db.example/news"
    assert load(file, database="sqlite:///typed.db").database_url == f"sqlite:///{tmp_path}/typed.db"


def test_without_a_file_the_state_folder_of_the_service_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(None).database_url == f"sqlite:///{tmp_path}/aggregator.db"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/aggregator")
    assert load(None).database_url == "sqlite:////var/lib/aggregator/aggregator.db"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("x.db", "sqlite:////base/x.db"),
        ("sqlite:///x.db", "sqlite:////base/x.db"),
        ("sqlite:////srv/x.db", "sqlite:////srv/x.db"),
        ("/srv/x.db", "sqlite:////srv/x.db"),
        ("postgres://u@h/n", "postgresql+psycopg://u@h/n"),
        ("postgresql+psycopg://u@h/n", "postgresql+psycopg://u@h/n"),
    ],
)
def test_addresses_of_databases(given: str, meant: str) -> None:
    assert absolute_database_url(given, Path("/base")) == meant
