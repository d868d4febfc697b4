"""`python -m benchmarks.briefs` as a person types it."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.support.programs import run_program

ROOT = Path(__file__).parents[3]
SENTENCES = (
    "The bridge in Tarnow was closed on Monday after cracks were found in two pillars.",
    "Tarnow closed its bridge on Monday because two pillars have cracks, the mayor said.",
)
RECORD = {
    "id": "bridge",
    "articles": [
        {
            "title": "Bridge in Tarnow closed after cracks are found",
            "text": SENTENCES[0],
        },
        {"title": "Tarnow closes cracked bridge", "text": SENTENCES[1]},
    ],
    "neutral_title": "Tarnow closes its bridge",
    "neutral_text": "The bridge in Tarnow was closed because of cracks in two pillars.",
}


def run(
    folder: Path, *records: dict[str, object], without_rouge: bool = False
) -> tuple[str, list[dict[str, str]]]:
    given, made = folder / "given.jsonl", folder / "made.jsonl"
    given.write_text(
        "".join(json.dumps(one) + "\n" for one in records), encoding="utf-8"
    )
    environment = dict(os.environ)
    if without_rouge:  # as in an installation without the development dependencies
        (folder / "rouge_score").mkdir()
        (folder / "rouge_score" / "__init__.py").write_text(
            "raise ImportError", encoding="utf-8"
        )
        environment["PYTHONPATH"] = str(folder)
    command = [
        sys.executable,
        "-m",
        "benchmarks.briefs",
        str(given),
        "--output",
        str(made),
    ]
    done = run_program(command, cwd=ROOT, env=environment, check=True)
    return done.stdout, [
        json.loads(line) for line in made.read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.later
def test_each_record_gets_title_summary_and_text_and_the_figures_are_printed(
    tmp_path: Path,
) -> None:
    title = "Ferry sinks off Port Ellis"
    bare = {"id": "bare", "articles": [{"title": title, "text": ""}]}
    printed, lines = run(tmp_path, RECORD, bare)
    assert [line["id"] for line in lines] == ["bridge", "bare"]
    assert all(list(line) == ["id", "title", "summary", "text"] for line in lines)
    assert lines[0]["title"] in {each["title"] for each in RECORD["articles"]}
    assert lines[0]["summary"].startswith(SENTENCES)
    assert lines[0]["text"].startswith(SENTENCES)
    assert title in lines[1]["text"]
    assert "title    ROUGE-1" in printed
    assert "over 1 records" in printed


@pytest.mark.later
def test_without_rouge_the_output_is_written_all_the_same(tmp_path: Path) -> None:
    printed, lines = run(tmp_path, RECORD, without_rouge=True)
    assert "rouge-score is not installed" in printed
    assert len(lines) == 1
