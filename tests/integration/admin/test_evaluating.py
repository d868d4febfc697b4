"""`aggregator eval`: whatever is in a dataset, it is measured, and what went wrong is said aloud."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from aggregator.admin.evaluate import evaluate, evaluate_corrections, place_records
from aggregator.admin.evaluation import Assignment, Evaluation
from aggregator.admin.labelled_data import read_dataset
from aggregator.cli.application import main
from aggregator.config.story_query import StoryFilter
from aggregator.config.tuning import Tuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.clock import utc_now
from aggregator.model.errors import UsageError
from aggregator.store.read.reader import StoryReader
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.story_checks import TRIPWIRE
from tests.support.tables import each_row
from tests.support.tuned import tune

DAY = "2026-10-12T12:00:00Z"


def one(
    id: str | None,
    text: str = FLOOD,
    title: str = "Levee breaks at Pennmouth",
    **more: Any,
) -> str:
    record = {"title": title, "text": text, "published": DAY, **more}
    return json.dumps(record | ({} if id is None else {"id": id}))


def written(folder: Path, *lines: str) -> Path:
    path = folder / "set.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def ran(
    path: Path, all_tuning: Tuning | None = None, executor: str = "inline", **more: Any
) -> tuple[Evaluation, list[Assignment]]:
    return evaluate(
        read_dataset(path), all_tuning or Tuning(), executor=executor, workers=1, **more
    )


# --- what is in a dataset ----------------------------------------------------------------------------------


def test_a_dataset_of_one_record(tmp_path):
    result, assigned = ran(written(tmp_path, one("only", cluster="flood")))
    assert (result.articles, result.stories, len(assigned)) == (1, 1, 1)
    assert result.labelled.bcubed.f1 == result.labelled.alone.f1 == 1.0


def test_a_dataset_that_is_placed_in_two_calls_has_all_its_articles(tmp_path, sqlite):
    """An article of the second call is not the one of the same outlet in the first."""
    dataset = written(
        tmp_path,
        one("1", source="Herald"),
        one("2", STRIKE, "Dockers walk out", source="Herald"),
    )
    records = read_dataset(dataset)
    pipeline = Pipeline(sqlite, InlineExecutor(), Tuning(), utc_now, keep_all=True)
    for first, record in enumerate(records):
        place_records([record], sqlite, pipeline, lambda _: None, first=first)
    titles = {
        story.title for story in StoryReader(sqlite).stories(StoryFilter()).stories
    }
    assert titles == {"Levee breaks at Pennmouth", "Dockers walk out"}


def test_no_labels_and_labels_for_some(tmp_path):
    none, _ = ran(written(tmp_path, one("1"), one("2", STRIKE, "Dockers walk out")))
    assert none.labelled is None
    some, _ = ran(
        written(
            tmp_path, one("1", cluster="flood"), one("2", STRIKE, "Dockers walk out")
        )
    )
    assert (some.articles, some.labelled.articles) == (2, 1)


def test_months_are_measured_with_and_without_what_is_no_sure_report(
    tmp_path, capsysbinary
):
    told = one("1", cluster="flood", saga="water", kind="report", sure=1)
    comment = one(
        "2",
        FLOOD_ELSEWHERE,
        "Pennmouth under water",
        cluster="blame",
        kind="opinion",
        sure=1,
    )
    arguable = one(
        "3", STRIKE, "Dockers walk out", cluster="strike", kind="report", sure=0
    )
    path = written(tmp_path, told, comment, arguable)
    result, assigned = ran(path)
    assert assigned[0].story == assigned[1].story, "a comment is attached to the event"
    (month,) = result.months
    assert (
        month.metrics.report.articles,
        month.metrics.several.stories,
        month.metrics.several.pure,
    ) == (3, 1, 0)
    reports = month.sure_reports
    assert (reports.report.articles, reports.several.stories) == (1, 0)
    assert b"sure reports" in main_said(capsysbinary, "eval", str(path))


def test_intervals_and_wrong_stories_are_printed_and_in_json(folder, capsysbinary):
    told = one("told", cluster="flood")
    elsewhere = one(
        "else\u202ewhere", FLOOD_ELSEWHERE, "Pennmouth under water", cluster="blame"
    )
    far = one("far", STRIKE, "Dockers walk out", cluster="flood")
    written(folder, told, elsewhere, far, one("unlabelled", FLOOD))
    text = main_said(capsysbinary, "eval", "set.jsonl").decode()
    assert "  labelled.intervals.f1 " in text
    assert "stories that mix events: 1" in text
    assert "events in several stories: 1" in text
    assert "told  Levee breaks at Pennmouth" in text
    assert "\u202e" not in text
    result = json.loads(
        main_said(capsysbinary, "eval", "set.jsonl", "--format", "json")
    )
    assert set(result["labelled"]["intervals"]) == {
        "precision",
        "recall",
        "f1",
        "over_merge",
        "split",
    }
    (mixed,), (split,) = result["mixed_stories"], result["split_events"]
    assert mixed["parts"]["flood"] == {"told": "Levee breaks at Pennmouth"}
    assert set(mixed["parts"]) == {"flood", "blame"}
    assert (split["name"], split["parts"][mixed["name"]]) == (
        "flood",
        {"told": "Levee breaks at Pennmouth"},
    )
    again = json.loads(main_said(capsysbinary, "eval", "set.jsonl", "--format", "json"))
    assert again["labelled"] == result["labelled"]


def test_records_of_one_id_are_measured_each(tmp_path):
    result, assigned = ran(
        written(
            tmp_path,
            one("same", cluster="flood"),
            one("same", FLOOD_ELSEWHERE, "Pennmouth under water", cluster="flood"),
            one("same", STRIKE, "Dockers walk out", cluster="strike"),
            one("copy", cluster="flood", copy_of="same"),
        )
    )
    assert [item.id for item in assigned] == ["same", "same", "same", "copy"]
    assert (
        assigned[0].story == assigned[1].story == assigned[3].story != assigned[2].story
    )
    assert (result.labelled.articles, result.labelled.bcubed.f1) == (4, 1.0)
    assert result.copies.f1 == 1.0


@pytest.mark.later
def test_what_cannot_be_read_is_alone_and_reported_with_its_reason(tmp_path):
    result, assigned = ran(
        written(
            tmp_path,
            one("good", cluster="flood"),
            '{"id": "broken", "cluster": "flood", "title": ',
            '["no", "record"]',
            one("empty", "", "", cluster="flood"),
            one("lone \ud800 surrogate", "\x00\x01", "", cluster="strike"),
        )
    )
    assert result.articles == len({item.story for item in assigned}) == 5
    assert sum(result.not_read.values()) == 4
    assert any("not JSON" in reason for reason in result.not_read)
    assert any("empty" in reason for reason in result.not_read)
    assert result.failed_jobs == 0
    assert result.labelled is not None


def test_a_text_under_an_unknown_key_is_a_problem_and_map_reads_it(
    folder, capsysbinary
):
    unknown = json.dumps(
        {"id": "u", "title": "Levee breaks", "volltext": FLOOD, "cluster": "flood"}
    )
    path = str(written(folder, one("1", cluster="flood"), unknown))
    result = json.loads(main_said(capsysbinary, "eval", path, "--format", "json"))
    ((reason, articles),) = result["not_read"].items()
    assert ("`volltext` has" in reason, articles) == (True, 1)
    asked = ("eval", path, "--map", "text=volltext", "--format", "json")
    result = json.loads(main_said(capsysbinary, *asked))
    assert (result["not_read"], result["stories"]) == ({}, 1)


def test_what_was_read_of_a_table_is_said(folder, capsysbinary):
    """A column of dates that is not read makes the figures worse, so `eval` says which columns it read."""
    header = "nr,title,body,day,published,event\n"
    first = f'1,Levee breaks,"{FLOOD}",2026-10-12,soonish,flood\n'
    second = f'1,Dockers walk out,"{STRIKE}",2026-10-12,soonish,strike\n'
    (folder / "set.csv").write_text(header + first + second)
    asked = ("eval", "set.csv", "--map", "id=nr,text=body", "--format", "json")
    notes = told(capsysbinary, *asked)
    assert notes == [
        "set.csv: read `nr` as id, `body` as text",
        "set.csv: not read: `day` (2 records), `event` (2 records)",
        "set.csv: `published`: 2 dates not understood, e.g. `soonish`",
        "set.csv: 1 id of several records, each measured separately: `1`",
        "set.csv: no record has `cluster`, so there are no figures of events; if another key names the event, "
        "add --map cluster=KEY, such as --map cluster=event",
    ]
    notes = told(
        capsysbinary,
        "eval",
        "set.csv",
        "--map",
        "text=body,published=day,cluster=event",
    )
    assert notes[:2] == [
        "set.csv: read `body` as text, `day` as published, `event` as cluster",
        "set.csv: not read: `nr` (2 records)",
    ]
    assert not any("no record" in note or "several" in note for note in notes)


# --- what went wrong ---------------------------------------------------------------------------------------


@pytest.mark.later
def test_articles_whose_job_failed_are_counted_aloud(
    tmp_path, capsysbinary, monkeypatch
):
    path = written(
        tmp_path,
        one("1", cluster="flood"),
        one("2", STRIKE, "Dock strike", cluster="strike"),
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(
        "work:\n  executor: processes\n  workers: 1\n"
    )
    tune(monkeypatch, {"work": {"parse_deadline_seconds": 0.001}})
    result = json.loads(main_said(capsysbinary, "eval", str(path), "--format", "json"))
    assert result["failed_jobs"] == 2
    ((reason, articles),) = result["not_read"].items()
    assert ("no answer within" in reason, articles) == (True, 2)
    assert (
        "2 of 2 articles were NOT READ"
        in main_said(capsysbinary, "eval", str(path)).decode()
    )


def test_corrections_are_measured_against_what_the_program_decides_alone():
    result = evaluate_corrections(
        {"a": "x", "b": "x", "c": "y", "d": "z"},
        {"a": "1", "b": "2", "c": "2", "pruned": "2"},
    )
    assert (result.articles, result.gone) == (4, 1)
    assert (result.labelled.articles, result.labelled.over_merge) == (3, 1.0)
    nothing = evaluate_corrections({}, {})
    assert (nothing.labelled, nothing.articles) == (None, 0)


# --- the command -------------------------------------------------------------------------------------------


def main_said(capsysbinary: Any, *arguments: str) -> bytes:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    said = capsysbinary.readouterr()
    assert ended.value.code == 0, said.err
    return said.out


def told(capsysbinary: Any, *arguments: str) -> list[str]:
    """Return the lines of the command on standard error."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 0
    return capsysbinary.readouterr().err.decode().splitlines()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("work:\n  executor: inline\n")
    return tmp_path


@pytest.mark.later
def test_the_persons_own_corrections_are_measured(folder, capsysbinary):
    titles = {
        "1": "Levee breaks at Pennmouth",
        "2": "Pennmouth under water",
        "3": "Dockers walk out",
    }
    texts = {"1": FLOOD, "2": FLOOD_ELSEWHERE, "3": STRIKE}
    written(folder, *(one(id_, texts[id_], titles[id_]) for id_ in titles))
    main_said(capsysbinary, "ingest", "set.jsonl")
    with pytest.raises(SystemExit) as ended:
        main(["eval", "--from-corrections"])
    assert (ended.value.code, b"no corrections" in capsysbinary.readouterr().err) == (
        2,
        True,
    )
    said = main_said(capsysbinary, "stories", "--format", "jsonl")
    stories = [json.loads(line)["id"] for line in said.splitlines()]
    assert len(stories) == 2
    main_said(capsysbinary, "correct", "merge", *stories)
    result = json.loads(
        main_said(capsysbinary, "eval", "--from-corrections", "--format", "json")
    )
    report = result["labelled"]
    assert (report["articles"], report["clusters"], report["stories"]) == (3, 1, 2)
    assert (report["bcubed"]["precision"], report["bcubed"]["recall"]) == (
        1.0,
        pytest.approx(5 / 9),
    )
    text = main_said(capsysbinary, "eval", "--from-corrections").decode()
    assert "labelled.articles                   3" in text


def test_a_damaged_file_and_standard_input(folder):
    (folder / "cut.jsonl.gz").write_bytes(gzip.compress(TRIPWIRE.read_bytes())[:-200])
    with pytest.raises(UsageError, match=r"cut\.jsonl\.gz: the file is damaged"):
        read_dataset("cut.jsonl.gz")
    packed = io.BytesIO(gzip.compress(TRIPWIRE.read_bytes()))
    assert len(read_dataset("-", packed)) == 63
    with pytest.raises(UsageError, match="stdin: no records"):
        read_dataset("-", io.BytesIO(b"\n"))


@pytest.mark.later
def test_several_datasets_and_text(folder, capsysbinary):
    said = main_said(capsysbinary, "eval", str(TRIPWIRE), str(TRIPWIRE)).decode()
    assert said.count("events.jsonl\n  labelled.articles                   63\n") == 2
    assert "  copies.f1 " in said
    few = written(folder, *TRIPWIRE.read_text(encoding="utf-8").splitlines()[:20])
    lines = main_said(capsysbinary, "eval", str(few), str(few), "--format", "json")
    results = [json.loads(line) for line in lines.splitlines()]
    assert results[0]["labelled"] == results[1]["labelled"]


UNREADABLE = {
    "set.txt": "id,title\n1,Dam\n",
    "set.jsonl": json.dumps({"id": 1, "title": "T", "inhalt": FLOOD}),
    "set.csv": "a;b\n1;2\n",
    "set.tsv": "id\ttitle\n1\n",
    "header.csv": "id,title\n",
    "nothing": "",
}


@each_row("evaluating", "mistakes are said before anything runs", "typed", "words")
def test_mistakes_are_said_before_anything_runs(folder, capsysbinary, typed, words):
    for name, content in UNREADABLE.items():
        (folder / name).write_text(content)
    with pytest.raises(SystemExit) as ended:
        main(["eval", *typed.replace("TRIPWIRE", str(TRIPWIRE)).split()])
    said = capsysbinary.readouterr()
    assert (ended.value.code, said.out) == (2, b"")
    assert words in said.err.decode()


def test_strangers_words_do_not_reach_the_terminal_as_commands(folder, capsysbinary):
    title = "Levee \x1b[31m breaks"
    written(
        folder,
        one("a\x1b[2J", "", "", cluster="fl\nood", outlet="G\x1bazette"),
        one("b", title=title, cluster="other"),
        '{"id": "bad\\u001b[2J", ',
    )
    said = main_said(capsysbinary, "eval", "set.jsonl").decode()
    assert "\x1b" not in said
    assert "not JSON" in said


@pytest.mark.later
def test_texts_that_come_after_the_leads(folder, capsysbinary):
    result, assigned = ran(TRIPWIRE, pages_late=True)
    texts_first, _ = ran(TRIPWIRE)
    assert result.labelled.bcubed.f1 >= texts_first.labelled.bcubed.f1 - 0.005
    assert len(assigned) == result.articles == 63
    few = written(
        folder,
        one("1", cluster="flood"),
        one("2", STRIKE, "Dockers walk out", cluster="strike"),
    )
    told = main_said(capsysbinary, "eval", str(few), "--pages-late").decode()
    assert "labelled.bcubed.f1" in told
    with pytest.raises(SystemExit):
        main(["eval", "--from-corrections", "--pages-late"])
