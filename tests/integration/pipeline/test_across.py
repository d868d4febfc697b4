"""Stories across languages: nothing by default; by choice guests that count and are silent in the sums."""

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select

from aggregator.config.loader import load
from aggregator.config.tuning import Tuning, effective_tuning
from aggregator.model.core import Entry, Evidence
from aggregator.model.errors import ConfigError
from aggregator.pipeline.placement.apply_corrections import CorrectionCommand
from aggregator.pipeline.placement.place import Placer
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import articles, stories
from aggregator.store.tables import article, cross_language
from tests.support.across import half, make_model
from tests.support.articles import Clock, Rig, record
from tests.support.fresh import with_tables
from tests.support.story_checks import assigned, reclustering, what_is_wrong

LATER = dt.datetime(2025, 6, 1, tzinfo=dt.UTC)
NAMES = effective_tuning({"cross_language": {"mode": "names"}})


def entries(name: str, *events: str) -> list[Entry]:
    """Records of a half in the order of their times; of some events only, where they are named."""
    wanted = [one for one in half(name) if not events or one["cluster"] in events]
    return [
        record(
            one["id"],
            "1",
            one["title"],
            one["text"],
            outlet=one["source"],
            language=one["lang"],
            published=dt.datetime.fromisoformat(one["published"]),
        )
        for one in sorted(wanted, key=lambda one: one["published"])
    ]


def rig(database: Database, all_tuning: Tuning = NAMES) -> Rig:
    return Rig(database, Clock(LATER), all_tuning)


def placed(database: Database) -> list[Any]:
    with database.read() as connection:
        columns = (
            "inbox_no",
            "id",
            "title",
            "language",
            "story",
            "role",
            "counts_in_centroid",
            "evidence",
            "source",
        )
        return list(
            connection.execute(select(*(article.c[name] for name in columns)).order_by(article.c.inbox_no))
        )


def evidence(row: Any) -> Evidence:
    return codecs.unpack(row.evidence, Evidence)


def is_guest(row: Any) -> bool:
    return any(reason.name.startswith("across:") for reason in evidence(row).reasons)


def rows_across(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(cross_language)).scalar_one())


# --- off ---------------------------------------------------------------------------------------------------


def test_by_default_nothing_is_joined_kept_or_worked_out(sqlite: Database) -> None:
    asked: list[str] = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *reported: asked.append(reported[2]))
    reported = entries("dev")
    at = rig(sqlite, effective_tuning())
    at.take(*reported)
    at.take(
        record(reported[0].source, "1", reported[0].title, f"{reported[0].text} More soon.", language="es")
    )
    assert len(asked) > 100
    assert [statement for statement in asked if "cross_language" in statement] == []
    languages = defaultdict(set)
    for row in placed(sqlite):
        languages[row.story].add(row.language)
    assert [found for found in languages.values() if len(found) > 1] == []
    assert rows_across(sqlite) == 0


def test_without_the_choice_rules_and_fingerprints_are_as_if_there_were_none(tmp_path: Path) -> None:
    from aggregator.cluster.fingerprint import fingerprinter
    from aggregator.model.core import CleanArticle

    (tmp_path / "config.yaml").write_text("grouping:\n  across_languages: off\n", encoding="utf-8")
    config = load(tmp_path / "config.yaml")
    assert config.effective_tuning == effective_tuning()
    one = CleanArticle(verdict="ok", title="Benfica 2-3 Galatasaray", text="In Lisbon.", language="en")
    assert fingerprinter(config.effective_tuning).fingerprint(one).across == b""
    assert fingerprinter(NAMES).fingerprint(one).across != b""


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "least", "wrong_most"), [("dev", 11, 1), ("check", 9, 2)])
def test_joins_across_languages_are_right(sqlite: Database, name: str, least: int, wrong_most: int) -> None:
    rig(sqlite).take(*entries(name))
    cluster = {one["id"]: one["cluster"] for one in half(name)}
    founder: dict[str, str] = {}
    right, wrong = 0, []
    for row in placed(sqlite):
        cause = cluster[row.source]
        first = founder.setdefault(row.story, cause)
        if is_guest(row):
            right += first == cause
            wrong += [(row.title, first)] if first != cause else []
    print(f"{name}: {right} joins across languages are right, {len(wrong)} wrong: {wrong}")
    assert right >= least
    assert len(wrong) <= wrong_most
    assert what_is_wrong(sqlite) == []


def test_a_guest_counts_and_is_silent_in_the_sums(database: Database, tmp_path: Path) -> None:
    rig(database).take(*entries("dev", "dev-takeover"))
    english, german, chinese = placed(database)
    assert {english.story, german.story, chinese.story} == {english.story}
    assert [(row.role, row.counts_in_centroid) for row in (english, german, chinese)] == [
        ("report", True),
        ("report", False),
        ("report", False),
    ]
    why = evidence(german)
    assert why.stage == "event"
    assert why.score is not None
    assert why.need is not None
    assert why.score >= why.need
    assert why.score == pytest.approx(why.bias + sum(reason.share for reason in why.reasons))
    with database.read() as connection:
        row = stories.row_of(connection, english.story)
        assert row is not None
        assert (row.article_count, row.report_count) == (3, 3)
        assert (row.title, row.language) == (english.title, "en")
    assert what_is_wrong(database) == []


def test_the_next_report_of_a_guests_language_is_weighed_beside_the_guest(sqlite: Database) -> None:
    reported = entries("dev", "dev-takeover")
    at = rig(sqlite)
    at.take(*reported)
    _, german, _ = placed(sqlite)
    # Says nothing that the English report says, but much that the German one does.
    again = record(
        "Vierte Zeitung",
        "4",
        "IG Metall bleibt nach Garantien für Beschäftigte skeptisch",
        "Die IG Metall bleibt skeptisch. Der Konzern gab den Beschäftigten Garantien, wie beide Firmen am "
        "Montag mitteilten. Der Kasseler Aufzugbauer wird je Aktie mit einem Aufschlag übernommen.",
        language="de",
        published=dt.datetime(2025, 5, 19, 15, 0, tzinfo=dt.UTC),
    )
    at.take(again)
    last = placed(sqlite)[-1]
    assert (last.story, last.counts_in_centroid) == (german.story, False)
    assert not is_guest(last)
    assert evidence(last).score is not None
    assert what_is_wrong(sqlite) == []


def test_where_the_hosts_leave_a_guest_is_at_home(sqlite: Database) -> None:
    rig(sqlite).take(*entries("dev", "dev-takeover"))
    english, german, chinese = placed(sqlite)
    placing = Placer(sqlite, NAMES, Clock(LATER))
    placing.correct(CorrectionCommand(kind="split", stories=(english.story,), articles=(english.id,)))
    after = {row.id: row for row in placed(sqlite)}
    assert after[german.id].story == after[chinese.id].story != after[english.id].story
    assert [after[one.id].counts_in_centroid for one in (english, german, chinese)] == [True, True, False]
    assert what_is_wrong(sqlite) == []
    placing.correct(CorrectionCommand(undo=None))
    assert len(set(assigned(sqlite).values())) == 1
    assert what_is_wrong(sqlite) == []


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    grouped = []
    for name, restarts in (("one", False), ("other", True)):
        database = Database(f"sqlite:///{tmp_path}/{name}.db")
        with_tables(database)
        at = rig(database)
        for one in entries("dev", "dev-match", "dev-bus", "dev-busother-ar", "dev-busother-fr"):
            at.take(one)
            if restarts:
                at.restart()
        grouped.append(assigned(database))
        database.close()
    assert grouped[0] == grouped[1]
    assert len(set(grouped[0].values())) < len(grouped[0])


def test_recluster_turns_it_on_and_holds_it(database: Database) -> None:
    at = rig(database, effective_tuning())
    at.take(*entries("dev", "dev-takeover"))
    assert len(set(assigned(database).values())) == 3
    run = reclustering(database, NAMES)
    assert run.take_over(Placer(database, NAMES, Clock(LATER)), None).moved > 0
    assert len(set(assigned(database).values())) == 1
    assert rows_across(database) == 3
    assert reclustering(database, NAMES).difference(None).moved == 0
    assert what_is_wrong(database) == []
    back = reclustering(database, effective_tuning())
    back.take_over(Placer(database, effective_tuning(), Clock(LATER)), None)
    assert len(set(assigned(database).values())) == 3
    assert rows_across(database) == 0


def test_the_row_goes_with_its_article(database: Database) -> None:
    rig(database).take(*entries("dev", "dev-takeover"))
    assert rows_across(database) == 3
    with database.write() as connection:
        connection.execute(delete(article).where(article.c.id == placed(database)[-1].id))
    assert rows_across(database) == 2


def test_a_revision_is_compared_by_its_new_words(sqlite: Database) -> None:
    first = entries("dev", "dev-takeover")[0]
    at = rig(sqlite)
    at.take(first)
    with sqlite.read() as connection:
        before = connection.execute(select(cross_language.c.features)).scalar_one()
    longer = f"{first.text} Arne Lindqvist paid 731 euros."
    at.take(record(first.source, "1", first.title, longer, language="en", published=first.published))
    with sqlite.read() as connection:
        after = connection.execute(select(cross_language.c.features)).scalars().all()
        assert articles.assigned_stories(connection, [placed(sqlite)[0].id])
    assert len(after) == 1
    assert after[0] != before


# --- vectors -----------------------------------------------------------------------------------------------

BRIDGE = (
    record("Herald", "1", "Bridge closed after cracks found in steel",
           "Engineers closed the bridge to lorries. Commuters face a detour, the repair will take weeks.",
           language="en", published=dt.datetime(2025, 5, 5, 9, 0, tzinfo=dt.UTC)),
    record("Anzeiger", "2", "Brücke gesperrt: Risse im Stahl",
           "Ingenieure haben die Brücke gesperrt. Pendler und Lastwagen brauchen eine Umleitung, die "
           "Reparatur dauert Wochen.",
           language="de", published=dt.datetime(2025, 5, 5, 11, 0, tzinfo=dt.UTC)),
    record("Bote", "3", "Gemälde gestohlen: Diebe kamen durchs Fenster",
           "Die Polizei sucht Diebe. Ein Wächter fand den leeren Rahmen, die Alarmanlage schwieg.",
           language="de", published=dt.datetime(2025, 5, 5, 12, 0, tzinfo=dt.UTC)),
)  # fmt: skip


def configured(folder: Path, words: str) -> Path:
    (folder / "config.yaml").write_text(f"grouping:\n{words}", encoding="utf-8")
    return folder / "config.yaml"


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_vectors_bring_together_what_no_name_and_number_does(
    sqlite: Database, tmp_path: Path, executor: str
) -> None:
    from aggregator.pipeline.pipeline import Pipeline
    from aggregator.pipeline.workers.factory import open_executor

    make_model(tmp_path / "model")
    words = "  across_languages: vectors\n  vectors: model\n"
    all_tuning = load(configured(tmp_path, words)).effective_tuning
    at = rig(sqlite, all_tuning)
    work = open_executor(executor, 1, all_tuning)
    try:
        at.pipeline = Pipeline(sqlite, work, all_tuning, at.clock)
        at.take(*BRIDGE)
    finally:
        work.close()
    english, german, other = placed(sqlite)
    assert german.story == english.story != other.story
    assert "across:vector" in {reason.name for reason in evidence(german).reasons}
    assert what_is_wrong(sqlite) == []


def test_without_vectors_these_stay_apart(sqlite: Database) -> None:
    rig(sqlite).take(*BRIDGE)
    assert len(set(assigned(sqlite).values())) == 3


def test_the_version_knows_the_model_and_not_where_it_lies(tmp_path: Path) -> None:
    words = "  across_languages: vectors\n  vectors: model\n"
    books = []
    for place in ("a", "b", "c"):
        folder = tmp_path / place
        folder.mkdir()
        make_model(folder / "model")
        if place == "c":
            with (folder / "model" / "config.json").open("a", encoding="utf-8") as file:
                file.write("\n")
        books.append(load(configured(folder, words)).effective_tuning)
    assert books[0] != books[1]
    assert books[0].version == books[1].version != books[2].version
    assert Tuning.from_json(books[0].to_json()) == books[0]


@pytest.mark.parametrize(
    ("words", "line", "said"),
    [
        ("  across_languages: vectors\n", 1, "grouping.vectors: give the folder of a model"),
        (
            "  across_languages: vectors\n  vectors: nowhere\n",
            3,
            "is not a model: config.json cannot be read",
        ),
        ("  across_languages: vectors\n  vectors: broken\n", 3, "model.safetensors has an unknown format"),
        ("  across_languages: yes\n", 2, "choose off, names or vectors"),
    ],
)
def test_a_mistake_is_said_before_any_article_is_read(
    tmp_path: Path, words: str, line: int, said: str
) -> None:
    make_model(tmp_path / "broken")
    (tmp_path / "broken" / "model.safetensors").write_bytes(b"no tensors at all")
    with pytest.raises(ConfigError) as caught:
        load(configured(tmp_path, words))
    assert str(caught.value).startswith(f"config.yaml:{line}: grouping")
    assert said in str(caught.value)


def test_what_grouping_chooses_is_not_chosen_below_tuning(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("tuning:\n  cross_language:\n    mode: names\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"config\.yaml:3: tuning\.cross_language\.mode: `grouping:` sets this"
    ):
        load(tmp_path / "config.yaml")
