"""The unit, judged by systemd's own programs, and what `install-service` makes of it; the container file."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from aggregator.admin import systemd_unit
from aggregator.admin.systemd_unit import obstacles, shipped_unit, unit_text, write_unit
from aggregator.config.loader import load, starting_config_text
from aggregator.model.errors import NotWritableError
from tests.conftest import REPOSITORY
from tests.support.programs import run_program
from tests.support.tables import each_row

MOST_EXPOSED = 1.4  # of 10, by `systemd-analyze security`
PROGRAM = Path(sys.executable).with_name("aggregator")
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def judged(
    text: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    file = folder / "aggregator.service"
    file.write_text(text, encoding="utf-8")
    # Verifying user units requires it
    environment = {"XDG_RUNTIME_DIR": str(folder), **os.environ}
    return run_program(["systemd-analyze", *arguments, str(file)], env=environment)


def installed(tmp_path: Path) -> str:
    """The shipped unit with a program that is there, as `verify` asks."""
    return unit_text(PROGRAM, tmp_path / "config.yaml", user=False)


@needs_systemd
def test_the_unit_is_exposed_little(tmp_path: Path) -> None:
    threshold = f"--threshold={MOST_EXPOSED * 10:.0f}"
    ended = judged(shipped_unit(), tmp_path, "security", "--offline=true", threshold)
    assert ended.returncode == 0, ended.stdout.splitlines()[-2:]
    bare = "[Service]\nExecStart=/bin/true\n"
    assert (
        judged(bare, tmp_path, "security", "--offline=true", threshold).returncode != 0
    )


@needs_systemd
def test_systemd_has_nothing_to_say_about_it(tmp_path: Path) -> None:
    ended = judged(installed(tmp_path), tmp_path, "verify")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize("user", [False, True], ids=["system", "user"])
@pytest.mark.parametrize(
    "name", ["config.yaml", 'a "b" 100% $HOME/c.yaml', "ünï cödé.yaml"]
)
def test_any_path_of_a_configuration_can_be_written_down(
    name: str, user: bool, tmp_path: Path
) -> None:
    text = unit_text(PROGRAM, tmp_path / name, user=user)
    ended = judged(text, tmp_path, *(["--user"] if user else []), "verify")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    line = re.search("^ExecStart=(.*)$", text, re.MULTILINE)
    words = [
        word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line[1])
    ]
    assert words == [
        str(PROGRAM),
        "run",
        "--config",
        str(tmp_path / name),
        "--log-format",
        "json",
    ]


def test_the_units_lines_are_what_the_documents_promise() -> None:
    lines = shipped_unit().splitlines()
    for one in (
        *(
            "Type=notify",
            "WatchdogSec=60",
            "Restart=on-failure",
            "StartLimitIntervalSec=0",
        ),
        *(
            "RestartPreventExitStatus=2 4",
            "StateDirectory=aggregator",
            "OOMPolicy=continue",
            "DynamicUser=yes",
        ),
    ):
        assert one in lines
    # systemd waits for RELOADING=1 only when it came before the last of these ends.
    reload = [line for line in lines if line.startswith("ExecReload=")]
    assert "kill -HUP $MAINPID" in reload[0]
    assert "config check" in reload[1]


def test_a_users_unit_asks_for_nothing_that_a_user_may_not(tmp_path: Path) -> None:
    text = unit_text(PROGRAM, tmp_path / "config.yaml", user=True)
    keys = set(re.findall(r"^(\w+)=", text, re.MULTILINE))
    assert (
        not {
            "DynamicUser",
            "StateDirectory",
            "ProtectSystem",
            "PrivateTmp",
            "CapabilityBoundingSet",
        }
        & keys
    )
    assert {
        "NoNewPrivileges",
        "SystemCallFilter",
        "MemoryMax",
        "WatchdogSec",
        "ExecReload",
    } <= keys
    assert f"WorkingDirectory={tmp_path}" in text, (
        "its database lies beside its configuration"
    )
    assert "WantedBy=default.target" in text
    assert text.endswith("\n")
    assert "\n\n\n" not in text


# --- what keeps it from running ----------------------------------------------------------------------------


def found(tmp_path: Path, text: str, program: Path = PROGRAM) -> str:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return "\n".join(obstacles(program, load(file)))


def test_what_the_service_cannot_see_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_unit, "_HIDDEN", (Path("/home"),))
    tmp_path.chmod(0o755)
    said = found(tmp_path, "database: news.db\nsources: [{folder: nowhere}]\n")
    assert "delete the line `database:`" in said
    assert f"the watched folder {tmp_path / 'nowhere'}" in said
    assert "delete the line" not in found(
        tmp_path, "database: /var/lib/aggregator/news.db\n"
    )
    assert "--user" in found(tmp_path, "", Path("/home/me/bin/aggregator"))
    (tmp_path / "config.yaml").chmod(0o600)
    assert "chmod o+rX" in "\n".join(obstacles(PROGRAM, load(tmp_path / "config.yaml")))


def test_links_that_lead_out_of_what_the_service_sees_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, opt, shared = (tmp_path / name for name in ("home", "opt", "usr"))
    monkeypatch.setattr(systemd_unit, "_HIDDEN", (home,))
    for folder in (home / "python", home / "env", opt, shared):
        folder.mkdir(parents=True)
    for file in (
        home / "python" / "python3.11",
        shared / "python3.11",
        opt / "aggregator",
        home / "env" / "aggregator",
    ):
        file.touch(0o755)
    # The interpreter of an environment that uv or pyenv made, over two links.
    (opt / "python3").symlink_to(home / "python" / "python3.11")
    (opt / "python").symlink_to("python3")
    said = found(tmp_path, "", opt / "aggregator")
    assert f"{opt / 'python'} leads to {home / 'python' / 'python3.11'}" in said
    assert "hidden from the service" in said
    (opt / "python3").unlink()
    (opt / "python3").symlink_to(shared / "python3.11")
    assert "leads to" not in found(tmp_path, "", opt / "aggregator")
    # The program itself is a link, or its environment is.
    (shared / "aggregator").symlink_to(home / "env" / "aggregator")
    assert f"leads to {home / 'env' / 'aggregator'}" in found(
        tmp_path, "", shared / "aggregator"
    )


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    file = write_unit(folder, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(folder.iterdir()) == [file]
    with pytest.raises(NotWritableError, match="cannot be written"):
        write_unit(file, "a folder cannot be here")


def test_a_configuration_to_begin_with_has_no_samples(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(starting_config_text(), encoding="utf-8")
    config = load(file)
    assert config.sources
    assert all(source.feed for source in config.sources)
    assert config.database is None


# --- the container -----------------------------------------------------------------------------------------


def steps() -> list[tuple[str, str]]:
    """The instructions of the container file: (name, rest), continued lines joined."""
    text = (
        (REPOSITORY / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def test_all_that_the_container_copies_is_there_and_let_through() -> None:
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [
        rest.split()[:-1]
        for name, rest in steps()
        if name == "COPY" and "--from" not in rest
    ]
    sources = {source for some in copied for source in some}
    assert sources >= {
        "aggregator",
        "migrations",
        "systemd",
        "requirements/run.txt",
        "pyproject.toml",
    }
    assert [source for source in sources if not (REPOSITORY / source).exists()] == []
    assert [source for source in sources if f"!{source}" not in ignored] == []
    packed = re.findall(
        r'^"([^"]+)" = "aggregator/_shipped',
        (REPOSITORY / "pyproject.toml").read_text(),
        re.M,
    )
    assert len(packed) >= 3
    assert all(
        any(one == had or one.startswith(f"{had}/") for had in sources)
        for one in packed
    )


def test_the_container_runs_without_root_shell_or_unlocked_packages() -> None:
    reported = steps()
    users = [rest for name, rest in reported if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    for name, rest in reported:
        if name in ("RUN", "ENTRYPOINT", "VOLUME"):
            assert json.loads(rest), "no shell: a list of words"
    fetching = [
        rest
        for name, rest in reported
        if name == "RUN" and re.search(r'pip", "(install|wheel|download)', rest)
    ]
    assert len(fetching) == 4
    assert all("--require-hashes" in rest or "--no-index" in rest for rest in fetching)
    (wheel,) = (rest for rest in fetching if '"wheel"' in rest)
    assert "--no-build-isolation" in wheel, (
        "else what builds the wheel is fetched as it comes"
    )
    locked = (REPOSITORY / "requirements" / "build.txt").read_text(encoding="utf-8")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert all(
        f"{re.split('[<>=]', one)[0]}==" in locked
        for one in project["build-system"]["requires"]
    )
    health = next(rest for name, rest in reported if name == "HEALTHCHECK")
    assert json.loads(health[health.index("[") :])[1] == "-c"
    compile(json.loads(health[health.index("[") :])[2], "health", "exec")
    names = [name for name, _ in reported]
    assert names.count("FROM") == 2, "what builds is left behind"
    assert ("STOPSIGNAL", "SIGTERM") in reported


def test_compose_runs_the_container_without_root_and_postgres_only_where_it_is_wanted() -> (
    None
):
    compose = yaml.safe_load((REPOSITORY / "compose.yaml").read_text(encoding="utf-8"))
    own, postgres = compose["services"]["aggregator"], compose["services"]["postgres"]
    assert (REPOSITORY / own["build"]["dockerfile"]).is_file()
    instructions = dict(steps())
    assert own["user"] == instructions["USER"]
    health = instructions["HEALTHCHECK"]
    assert own["healthcheck"]["test"] == [
        "CMD",
        *json.loads(health[health.index("[") :]),
    ]
    given = {
        name.replace("_", "-"): str(value) for name, value in own["healthcheck"].items()
    }
    assert all(
        f"--{name}={value} " in health
        for name, value in given.items()
        if name != "test"
    )
    mounts = {
        volume.partition("#")[0].strip().split("}")[-1].split(":")[1]
        for volume in own["volumes"]
    }
    assert mounts == {
        "/etc/aggregator/config.yaml",
        *json.loads(instructions["VOLUME"]),
    }
    assert own["read_only"]
    assert own["ports"] == ["${PUBLISH:-127.0.0.1:8080}:8080"], "this machine only"
    assert own["environment"]["AGGREGATOR_DATABASE"].startswith(
        "${POSTGRES_PASSWORD:+postgresql://"
    ), "else ''"
    assert "profiles" not in own
    assert (postgres["profiles"], "ports" in postgres) == (["postgres"], False)
    for service in (own, postgres):
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
        assert (service["cap_drop"], service["security_opt"]) == (
            ["ALL"],
            ["no-new-privileges:true"],
        )
    assert set(compose["volumes"]) == {"state", "postgres"}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """The packages of the lock, as far as they are for this platform, and the program itself."""
    venv.create(tmp_path / "environment", with_pip=False)
    packages = (
        next((tmp_path / "environment" / "lib").glob("python*")) / "site-packages"
    )
    locked = (REPOSITORY / "requirements" / "run.txt").read_text(encoding="utf-8")
    for name in ("aggregator", *re.findall(r"^([\w.-]+)==", locked, re.M)):
        with suppress(metadata.PackageNotFoundError):  # for another platform
            package = metadata.distribution(name)
            for top in {one.parts[0] for one in package.files or ()} - {
                "..",
                "__pycache__",
            }:
                if not (packages / top).exists():
                    (packages / top).symlink_to(str(package.locate_file(top)))
    return tmp_path / "environment"


def write_notices(environment: Path) -> subprocess.CompletedProcess[str]:
    """The step of the container file, for this environment."""
    (step,) = (
        rest
        for name, rest in steps()
        if name == "RUN" and "requirements/notices.py" in rest
    )
    words = [
        word.replace("/opt/aggregator", str(environment)) for word in json.loads(step)
    ]
    return run_program(words, cwd=REPOSITORY)


@pytest.mark.later
def test_the_container_has_the_licences_of_all_that_is_in_it(environment: Path) -> None:
    done = write_notices(environment)
    assert (done.returncode, done.stderr) == (0, "")
    reported = (environment / "licences" / "NOTICE").read_text(encoding="utf-8")
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    found = list(metadata.distributions(path=[str(packages)]))
    assert len(found) > 50
    parts = dict(re.findall(r"^(\S+) \S+: .+\n((?:    .+\n)+)", reported, re.M))
    assert set(parts) == {package.metadata["Name"] for package in found}
    for package, lines in parts.items():
        texts = re.findall(r"    text: (.+)", lines)
        assert texts, package
        assert all((packages / text).stat().st_size for text in texts)
    for package in found:
        for library in (
            str(one) for one in package.files or () if ".libs/" in str(one)
        ):
            assert f"    contains {library}: " in parts[package.metadata["Name"]]
    assert re.search(r"^psycopg-binary \S+: LGPL-3.0", reported, re.M)
    assert "libquadmath" in reported
    for name, title in (
        ("LGPL-3", "LESSER"),
        ("LGPL-2.1", "LESSER"),
        ("GPL-3", "GNU GENERAL"),
    ):
        text = (environment / "licences" / name).read_text(encoding="utf-8")
        assert title in text.split("\n", 1)[0]
        assert len(text) > 7_000


@pytest.mark.later
@each_row(
    "service_unit",
    "a package of unknown licence stops the build",
    "more",
    "part",
    "complaint",
)
def test_a_package_of_unknown_licence_stops_the_build(
    environment: Path, more: str, part: str, complaint: str
) -> None:
    packages = next((environment / "lib").glob("python*")) / "site-packages"
    texts = {
        "strange-1.0.dist-info/METADATA": f"Metadata-Version: 2.4\nName: strange\nVersion: 1.0\n{more}"
    }
    if part:
        texts[part] = "words"
    if ".libs/" in part:
        texts["strange-1.0.dist-info/LICENSE"] = "words"
    for name, text in texts.items():
        (packages / name).parent.mkdir(exist_ok=True)
        (packages / name).write_text(text, encoding="utf-8")
    (packages / "strange-1.0.dist-info" / "RECORD").write_text(
        "".join(f"{name},,\n" for name in texts)
    )
    done = write_notices(environment)
    assert done.returncode == 1
    assert complaint in done.stderr
