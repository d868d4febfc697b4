"""config.yaml: the shipped file says what is in force anyway, and every mistake is named by its line."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.admin.config_check import check_config
from aggregator.config.delivery_settings import mail_address, require_library
from aggregator.config.loader import load, shipped_config_text
from aggregator.config.settings import Config, WorkConfig, absolute_database_url
from aggregator.config.tuning import Tuning
from aggregator.config.values import bounded_seconds
from aggregator.config.webhook_settings import digest_readers
from aggregator.model.errors import ConfigError
from tests.conftest import REPOSITORY
from tests.support.committed import committed
from tests.support.tables import each_row


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


# --- files that earlier versions wrote ---------------------------------------------------------------------


def test_a_former_key_with_its_default_is_a_warning(tmp_path: Path) -> None:
    text = (
        "server:\n  port: 9\n  mcp: false\nretention:\n  compress_after: 30d\n  size: null\nrules: {}\n"
        "fetch:\n  threads: 8\n  allow_private_links: []\ngrouping: {across_languages: off}\n"
    )
    config = load(written(tmp_path, text))
    assert config.server.port == 9
    assert sorted(warning.split(": ")[0] for warning in config.warnings) == [
        f"config.yaml:{line}" for line in (10, 11, 3, 5, 6, 7, 9)
    ]
    assert config.warnings[0].startswith(
        "config.yaml:10: fetch.allow_private_links: this key is gone"
    )


def test_a_removed_key_is_a_warning_that_says_what_takes_its_place(
    tmp_path: Path,
) -> None:
    text = "summarise:\n  url: https://llm.example/v1\n  model: m\n  no_such_key: 1\n"
    (warning,) = load(written(tmp_path, text)).warnings
    assert warning.startswith("config.yaml:1: summarise: this key is gone: ")
    assert "webhooks" in warning


@each_row("config", "a former key with another value is a mistake", "text", "key")
def test_a_former_key_with_another_value_is_a_mistake(
    tmp_path: Path, text: str, key: str
) -> None:
    assert mistakes(tmp_path, text)[0].startswith(
        f"config.yaml:1: {key}: there is no such key"
    )


def test_a_relative_folder_is_the_same_from_every_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other" / "deep").mkdir(parents=True)
    file = written(tmp_path, "sources: [{folder: news}]\n")
    for working, path in (
        (".", "config.yaml"),
        ("other", "../config.yaml"),
        ("other/deep", "../../config.yaml"),
    ):
        monkeypatch.chdir(tmp_path / working)
        for config in (load(Path(path)), load(file)):
            assert (config.path("news"), config.file) == (tmp_path / "news", file)


# --- the shipped file --------------------------------------------------------------------------------------


def test_every_key_of_the_shipped_file_is_the_default(tmp_path: Path) -> None:
    shipped, built_in = load(written(tmp_path, committed("config.yaml"))), Config()
    # The samples; and where the file itself lies
    left_out = {"sources": (), "database": None}
    assert shipped.model_copy(update=left_out).model_dump() == built_in.model_dump()
    assert shipped.sources


def test_the_program_carries_the_file_that_lies_there() -> None:
    assert shipped_config_text() == (REPOSITORY / "config.yaml").read_text(
        encoding="utf-8"
    )


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
    assert said[2].endswith("there is no such key; did you mean `port`?")
    assert "90s, 15m, 6h or 2d" in said[3]


@each_row("config", "a mistake is named with its line", "text", "line", "words")
def test_a_mistake_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    said = mistakes(tmp_path, text)
    assert len(said) == 1
    assert said[0].startswith(f"config.yaml:{line}: ")
    assert words in said[0]


@each_row(
    "config", "what the daemon would refuse is named with its line", "text", "said"
)
def test_what_the_daemon_would_refuse_is_named_with_its_line(
    tmp_path: Path, text: str, said: list[str]
) -> None:
    config = load(written(tmp_path, text))
    with pytest.raises(ConfigError) as caught:
        check_config(config)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(said)
    assert all(
        line.startswith(f"config.yaml:{words}")
        for line, words in zip(lines, said, strict=True)
    ), lines
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, ": No such file or directory$"),
        (b"\xff\xfe", ": this is not UTF-8 text$"),
        (b"\xff\xfe\x00a", ""),
        (b"\x80", ""),
        (b"\x00", ""),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_cause(
    data: bytes | None, words: str
) -> None:
    file = Path("config.yaml")
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"^config\.yaml{words}"):
        load(file)


def test_the_shipped_file_has_no_mistakes(tmp_path: Path) -> None:
    check_config(load(written(tmp_path, committed("config.yaml"))))


def test_a_query_that_only_bounds_is_no_mistake(tmp_path: Path) -> None:
    check_config(
        load(
            written(
                tmp_path,
                "queries: {a: {query: 'lang:de -sport'}, b: {min_reports: 3}}\n",
            )
        )
    )


def test_mistakes_of_one_kind_come_in_the_order_of_lines(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path, "server: 5\nsources: 5\nfetch:\n  allow_private: 5\nlog: 5\n"
    )
    assert [line.split(":")[1] for line in said] == ["1", "2", "4", "5"]


@pytest.mark.later
def test_a_file_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    assert "nested too deeply" in mistakes(tmp_path, "sources: " + "[" * 20_000)[0]


@pytest.mark.slow
@given(st.text(max_size=200))
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    file = Path("any.yaml")
    file.write_text(text, encoding="utf-8", errors="replace")
    with suppress(ConfigError):
        assert isinstance(load(file), Config)


# --- YAML as people mean it --------------------------------------------------------------------------------


@each_row("config", "words stay words", "word")
def test_words_stay_words(tmp_path: Path, word: str) -> None:
    assert load(written(tmp_path, f"publish:\n  title: {word}\n")).publish.title == word


def test_numbers_are_decimal(tmp_path: Path) -> None:
    assert load(written(tmp_path, "server:\n  port: 0010\n")).server.port == 10


@pytest.mark.parametrize("value", ["yes", "on", "1", "'true'"])
def test_only_true_and_false_switch(tmp_path: Path, value: str) -> None:
    assert mistakes(tmp_path, f"publish:\n  index: {value}\n")[0].startswith(
        "config.yaml:2: publish.index"
    )


def test_a_key_without_a_value_keeps_its_default(tmp_path: Path) -> None:
    without, empty = (
        load(written(tmp_path, text)) for text in ("log:\nsources:\n", "")
    )
    assert without.model_dump() == empty.model_dump()


@each_row("config", "a mistake in the syntax is explained", "text", "message")
def test_a_mistake_in_the_syntax_is_explained(
    tmp_path: Path, text: str, message: str
) -> None:
    (found,) = mistakes(tmp_path, text)
    assert found.startswith(f"config.yaml:{message}")


# --- durations and places ----------------------------------------------------------------------------------


@each_row("config", "durations carry their unit", "text", "value")
def test_durations_carry_their_unit(text: str, value: int) -> None:
    assert bounded_seconds(text) == value


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-5m", "1.5h", "m"])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="90s, 15m"):
        bounded_seconds(text)


def test_memory_decides_how_many_articles_are_live(tmp_path: Path) -> None:
    def reach(text: str) -> int:
        return load(written(tmp_path, text)).effective_tuning.values("events")[
            "live_reach"
        ]

    values = load(
        written(tmp_path, "grouping: {memory: 1 GB}")
    ).effective_tuning.values("copies")
    assert values["passage_reach"] == 273_333, (
        "a copy is found while a story may take it"
    )
    assert reach("") == reach("grouping: {memory: 600 MB}") == 140_000
    assert reach("grouping: {memory: 1 GB}") == 273_333
    said = load(written(tmp_path, "grouping: {memory: 600 MB}")).effective_tuning
    assert said.version == Tuning().version
    assert "give at least 240 MB" in mistakes(tmp_path, "grouping: {memory: 239 MB}")[0]
    assert "like 600 MB" in mistakes(tmp_path, "grouping: {memory: 600}")[0]


@each_row(
    "config", "the daemon leaves a processor to its writer", "processors", "workers"
)
def test_the_daemon_leaves_a_processor_to_its_writer(
    processors: int | None, workers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    by_default, chosen = WorkConfig(), WorkConfig(workers=7)
    assert [by_default.worker_count(), by_default.worker_count(spared=1)] == workers
    assert (chosen.worker_count(), chosen.worker_count(spared=1)) == (7, 7)


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
    assert (
        load(file, database="sqlite:///typed.db").database_url
        == f"sqlite:///{tmp_path}/typed.db"
    )


def test_without_a_file_the_state_folder_of_the_service_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(None).database_url == f"sqlite:///{tmp_path}/aggregator.db"
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/aggregator")
    assert load(None).database_url == "sqlite:////var/lib/aggregator/aggregator.db"


@each_row("config", "addresses of databases", "given", "meant")
def test_addresses_of_databases(given: str, meant: str) -> None:
    assert absolute_database_url(given, Path("/base")) == meant


@each_row(
    "config",
    "a mistake in the address of a mail server is named without it",
    "address",
    "words",
)
def test_a_mistake_in_the_address_of_a_mail_server_is_named_without_it(
    address: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)) as error:
        mail_address(address)
    assert "hush" not in str(error.value)


def test_each_reader_of_the_digest_is_an_address_of_apprise(tmp_path: Path) -> None:
    text = """digest: {every: daily, to: [a+b@c.example], address: "mailtos://n:x@d.example?from=e@f.example"}
"""
    (page, reader) = digest_readers(load(written(tmp_path, text)))
    assert (page.name, reader.name) == ("digest:", "digest:a+b@c.example")
    assert reader.url == (
        "mailtos://n:x@d.example?from=e@f.example"
        "&to=a%2Bb%40c.example&%2BAuto-Submitted=auto-generated"
    )


def test_what_may_be_secret_in_recipients_is_not_shown(tmp_path: Path) -> None:
    text = """webhooks:
  - {name: a, url: http://a.example/hush, secret_file: x, headers: {A: hush}}
notify: [{name: b, address: ntfy://hush/hush}]
digest: {every: daily, to: [a@b.example], address: "mailtos://c:hush@b.example"}
"""
    config = load(written(tmp_path, text))
    assert "hush" not in config.model_dump_json() + repr(config)


def test_a_library_that_is_missing_is_named_with_the_command_and_found_once_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as missing:
        require_library("library_of_an_extra", "notify: this needs", ">=1")
    assert f"{sys.executable} -m pip install 'library_of_an_extra>=1'" in str(
        missing.value
    )
    (tmp_path / "library_of_an_extra.py").touch()
    require_library("library_of_an_extra", "notify: this needs", ">=1")
