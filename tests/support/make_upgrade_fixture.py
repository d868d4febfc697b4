"""Makes tests/data/upgrade: a database and an export of the program of each release.

    git worktree add /tmp/former v0.1.0
    python -m tests.support.make_upgrade_fixture /tmp/former v0.1.0

The program of that checkout does everything, by its commands and its daemon, with the Python of this script.
All articles are samples of the project or invented here. A server must be there, see tests/conftest.py, with
`pg_dump`.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml
import zstandard
from sqlalchemy import create_engine, make_url, text

from tests.support.loopback import LoopbackServer, Resource
from tests.support.reader_client import READ, STARRED, ReaderClient
from tests.support.rss import item, rss
from tests.support.tables import rows
from tests.support.waiting import PATIENCE_SECONDS, wait_until

FOLDER = Path(__file__).parent.parent / "data" / "upgrade"

_LEVEL = 19  # of zstd: the files are part of the project
_PORT = 8473  # of the feed, whose address is in the database
_SERVER = os.environ.get(
    "AGGREGATOR_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432"
)
_DATABASE = "aggregator_upgrade_fixture"

# Retention deletes the texts of these.
_OLD_ARTICLES = (
    "Freight and Tariff/sixth-package-torvask-steel.txt",
    "Lowland Post/timber-duty-polderby-builders.txt",
    "Lowland Post/sixth-round-of-duties-explained.txt",
    "Marenholt Courier/union-imposes-duties-on-steel.txt",
    "Halverne Evening Echo/museum-of-lost-luggage-opens.txt",
)
_ARTICLES = (
    # Six outlets, a live blog.
    "Arrel Valley Gazette/kestrow-toll-rises-siren-log.txt",
    "Daily Siren/wall-of-water-horror.txt",
    "Marenholt Courier/kestrow-dam-gives-way.txt",
    "Radio Vessaly/tarrowmere-flood-what-is-known.txt",
    "Vessaly Now/live-blog-tarrowmere.txt",
    # One text of an agency, cut and extended.
    "Daily Siren/inferno-at-the-docks.txt",
    "Lowland Post/fire-at-halverne-solvent-works.txt",
    "Marenholt Courier/chemical-fire-in-halverne-harbour.txt",
    "Radio Vessaly/halverne-chemical-plant-fire.txt",
    "Vessaly Now/stay-indoors-halverne-fire.txt",
    # Two of one match.
    "Matchday Mercury/halverne-united-calmouth.txt",
    "Halverne Evening Echo/sorley-sends-harbour-park-wild.txt",
    # Each alone.
    "Daily Siren/parrot-calls-fire-brigade.txt",
    "Lowland Post/court-polder-mill-ruling.txt",
    "Radio Vessaly/lynx-cubs-sallow-hills.txt",
    "Thornwick Chronicle/quennell-waits-113-games.txt",
)
_RECORDS = rows("make_upgrade_fixture", "records")
_ITEMS = (
    (
        "Night trams return to Sennick",
        "Night trams return to Sennick from December, after three years without them. The council voted for "
        "four lines on Monday evening. A ride will cost two crowns, and drivers get a bonus for each night. "
        "Shops near the old market had asked for the trams since the last ones were withdrawn.",
    ),
    (
        "Observatory at Ilvara opens its dome for a night",
        "The observatory at Ilvara opens its dome to visitors on the first night of December. Two hundred "
        "tickets are drawn among all who write a card. Astronomers will show the rings of a planet and a "
        "comet that was found last month, if clouds from the lake stay away.",
    ),
)


class Fixture:
    """The three files that the program of a tag made."""

    def __init__(self, name: str) -> None:
        self.sqlite = FOLDER / f"{name}.db.zst"
        self.postgres = FOLDER / f"{name}.sql.zst"
        self.export = FOLDER / f"{name}.jsonl.zst"


def main(checkout: Path, name: str) -> None:
    """Make the three files of a tag."""
    fixture = Fixture(name)
    with TemporaryDirectory() as folder:
        program = Program(checkout, Path(folder))
        program.check_version(name)
        _ingest_old_articles(program)
        _ingest_articles(program)
        _correct(program)
        _run_daemon(program)
        _write_files(program, fixture)
    for file in (fixture.sqlite, fixture.postgres, fixture.export):
        print(f"{file.stat().st_size:9,}  {file}")


class Program:
    """The former program, on an SQLite database in a folder of its own."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.checkout = checkout
        self.folder = folder
        self.database = folder / "news.db"
        self.configure()

    def configure(self, **settings: Any) -> None:
        """Write config.yaml."""
        values = {
            "database": str(self.database),
            "server": {"port": 0},
            "fetch": {"host_gap": "0s", "allow_private": ["127.0.0.0/8"]},
            "work": {"executor": "inline"},
            "backup": {"every": "never"},
        }
        (self.folder / "config.yaml").write_text(
            yaml.safe_dump(values | settings), encoding="utf-8"
        )

    def command_line(self, *arguments: str) -> list[str]:
        """Return what starts the program; Python finds it in the working directory."""
        config = self.folder / "config.yaml"
        return [sys.executable, "-m", "aggregator", "--config", str(config), *arguments]

    def run(self, *arguments: str) -> str:
        """Run a command and return its output."""
        done = subprocess.run(
            self.command_line(*arguments),
            cwd=self.checkout,
            check=True,
            stdout=subprocess.PIPE,
        )
        return done.stdout.decode()

    def check_version(self, name: str) -> None:
        """Raise SystemExit unless the program is that of the tag."""
        show = [
            "git",
            "-C",
            str(self.checkout),
            "rev-parse",
            "HEAD",
            f"{name}^{{commit}}",
        ]
        shown = subprocess.run(show, check=True, stdout=subprocess.PIPE).stdout.decode()
        head, commit = shown.split()
        where = [sys.executable, "-c", "import aggregator; print(aggregator.__file__)"]
        file = subprocess.run(
            where, cwd=self.checkout, check=True, stdout=subprocess.PIPE
        ).stdout.decode()
        if head != commit or not Path(file).is_relative_to(self.checkout.resolve()):
            raise SystemExit(
                f"{self.checkout} is at {head}, not {commit}, Python imports {file.strip()}"
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()

    def story_of(self, title: str) -> str:
        """Return the id of the story of the article whose title begins like this."""
        return self._of_article("story", title)

    def article_of(self, title: str) -> str:
        """Return the id of the article whose title begins like this."""
        return self._of_article("id", title)

    def _of_article(self, column: str, title: str) -> str:
        found = self.rows(f"SELECT {column} FROM article WHERE title LIKE '{title}%'")
        return str(found[0][0])

    def wait_for(self, query: str) -> None:
        """Wait until a query returns a row."""
        wait_until(lambda: self.rows(query), query)


def _ingest_old_articles(program: Program) -> None:
    """Place some articles, as if two days ago, and let retention delete their texts."""
    program.run("ingest", str(_copied(program, "old", _OLD_ARTICLES)))
    with closing(sqlite3.connect(program.database)) as connection:
        earlier = "strftime('%Y-%m-%d %H:%M:%S.000000', placed_at, '-2 days')"
        connection.execute(f"UPDATE article SET placed_at = {earlier}")
        connection.commit()
    program.configure(retention={"text_after": "1d"})
    program.run("db", "prune")
    program.configure()
    texts = program.rows("SELECT text FROM article WHERE text IS NOT NULL")
    assert not texts, f"{len(texts)} texts are left"


def _ingest_articles(program: Program) -> None:
    program.run("ingest", str(_copied(program, "new", _ARTICLES)))
    records = program.folder / "records.jsonl"
    records.write_text(
        "".join(json.dumps(record) + "\n" for record in _RECORDS), encoding="utf-8"
    )
    program.run("ingest", str(records))


def _copied(program: Program, name: str, articles: tuple[str, ...]) -> Path:
    """Copy samples into a folder with a folder for each outlet."""
    folder = program.folder / name
    for article in articles:
        (folder / article).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(
            program.checkout / "examples" / "articles" / article, folder / article
        )
    return folder


def _correct(program: Program) -> None:
    """Merge, split and move, undo a merge, forget an article."""
    parrot, lynx = program.story_of("POLLY"), program.story_of("First lynx")
    mill, stadium = program.story_of("Old mill"), program.story_of("Opinion")
    fire = program.story_of("Chemical fire")
    program.run("correct", "merge", parrot, lynx)
    program.run("correct", "split", fire, program.article_of("Environmental office"))
    program.run("correct", "move", program.article_of("Dam breach"), parrot)
    program.run("correct", "merge", mill, stadium)
    program.run("correct", "undo")
    program.run("forget", program.article_of("Goat"), "--yes")


# --- the daemon --------------------------------------------------------------------------------------------


_UNRENDERED = "SELECT 1 FROM story WHERE text IS NULL AND redirect_to IS NULL"


def _run_daemon(program: Program) -> None:
    """Poll a feed, render all stories, and read with the Reader API."""
    token = program.run("token", "create", "ada", "--scope", "read").strip()
    program.run("token", "create", "newsroom", "--scope", "push", "--scope", "admin")
    feed = Resource(_feed(), "application/rss+xml", etag='"edition-1"')
    with (
        LoopbackServer({"/feed": feed}, port=_PORT) as server,
        _daemon(program) as base,
    ):
        program.run(
            "sources",
            "add",
            server.url("/feed"),
            "--name",
            "tramways",
            "--folder",
            "Coast",
        )
        program.wait_for("SELECT 1 FROM article WHERE title LIKE 'Observatory%'")
        program.wait_for(f"SELECT 1 WHERE NOT EXISTS ({_UNRENDERED})")
        program.wait_for(
            "SELECT 1 FROM source WHERE last_success_at IS NOT NULL AND etag IS NOT NULL"
        )
        _read(program, base, token)


@contextmanager
def _daemon(program: Program) -> Iterator[str]:
    """Run the daemon; yield its address."""
    log = program.folder / "daemon.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            program.command_line("run"), cwd=program.checkout, stderr=errors
        )
    try:
        listens = wait_until(
            lambda: re.search(r"listening on (http://[^\s,]+)", log.read_text()),
            f"the daemon to listen, see {log}",
        )
        yield listens[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def _read(program: Program, base: str, token: str) -> None:
    """Sign in as a reader; star one story, read two others, and mark one as unread again."""
    reader = ReaderClient(httpx.URL(base), "ada", token)

    def number(title: str) -> str:
        condition = f"article.title LIKE '{title}%' OR article.outlet LIKE '{title}%'"
        joined = "article JOIN story ON story.id = article.story"
        found = program.rows(f"SELECT story_no FROM {joined} WHERE {condition}")
        return str(found[0][0])

    for title in ("Kestrow Dam", "Freight"):
        reader.mark(number(title), add=STARRED)
    for title in ("Kestrow Dam", "Halverne United", "Night trams"):
        reader.mark(number(title), add=READ)
    reader.mark(number("Night trams"), remove=READ)


def _feed() -> str:
    items = (
        item(
            title,
            body,
            guid=f"item-{number}",
            link=f"https://sennick-tramways.example/news/{number}",
            published=datetime(2026, 11, 16, number, 30, tzinfo=UTC),
            more="<category>Culture</category>",
        )
        for number, (title, body) in enumerate(_ITEMS)
    )
    site = "<link>https://sennick-tramways.example/</link>"
    return rss(*items, title="Sennick Tramways", more=site)


# --- files -------------------------------------------------------------------------------------------------


def _write_files(program: Program, fixture: Fixture) -> None:
    FOLDER.mkdir(exist_ok=True)
    packer = zstandard.ZstdCompressor(level=_LEVEL)
    compact = program.folder / "compact.db"
    program.rows(f"VACUUM INTO '{compact}'")
    fixture.sqlite.write_bytes(packer.compress(compact.read_bytes()))
    export = program.folder / "export.jsonl"
    export.write_text(program.run("export"), encoding="utf-8")
    fixture.export.write_bytes(packer.compress(export.read_bytes()))
    fixture.postgres.write_bytes(packer.compress(_dump(program, export).encode()))


def _dump(program: Program, export: Path) -> str:
    """Import an export into a database of the server and return it as SQL statements."""
    server = create_engine(f"{_SERVER}/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {_DATABASE}"))
        connection.execute(
            text(f"CREATE DATABASE {_DATABASE} TEMPLATE template0 ENCODING 'UTF8'")
        )
        url = make_url(f"{_SERVER}/{_DATABASE}").set(drivername="postgresql")
        address = url.render_as_string(hide_password=False)
        program.run("--database", address, "import", str(export))
        dump = [
            "pg_dump",
            "--no-owner",
            "--no-privileges",
            "--rows-per-insert=1000",
            address,
        ]
        sql = subprocess.run(dump, check=True, stdout=subprocess.PIPE).stdout.decode()
        connection.execute(text(f"DROP DATABASE {_DATABASE}"))
    server.dispose()
    # Lines for psql itself, which newer versions of pg_dump write.
    return re.sub(r"^\\.*\n", "", sql, flags=re.MULTILINE)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
