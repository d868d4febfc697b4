"""The dependencies install with the pip that Debian 12 and Python 3.11 bring, 23.0 and 23.2."""

import re
import tomllib
from collections import defaultdict
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY


def _requirements() -> list[Requirement]:
    """What the project and all packages of the lock that are installed here ask for."""
    project = tomllib.loads(
        (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    found = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    locked = re.findall(
        r"^([\w.-]+)==",
        (REPOSITORY / "requirements" / "run.txt").read_text("utf-8"),
        re.M,
    )
    installed = {canonicalize_name(one.name) for one in metadata.distributions()}
    for name in locked:
        if canonicalize_name(name) in installed:  # some are for other systems
            found += metadata.requires(name) or []
    return [Requirement(one) for one in found]


def test_each_extra_is_spelled_in_one_way() -> None:
    """Pip before 23.3 takes lxml[html-clean] and lxml[html_clean] for a conflict and installs nothing."""
    spellings: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in _requirements():
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            for extra in one.extras:
                spellings[canonicalize_name(one.name), canonicalize_name(extra)].add(
                    extra
                )
    assert ("lxml", "html-clean") in spellings, "justext asks for it"
    assert {key: found for key, found in spellings.items() if len(found) > 1} == {}


def test_the_citation_has_the_version_and_licence_of_the_project() -> None:
    cited = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads(
        (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    assert cited["cff-version"] == "1.2.0"
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert [author["name"] for author in cited["authors"]] == [
        author["name"] for author in project["authors"]
    ]


@pytest.mark.parametrize("extra", ["notify", "mcp", "dask", "archives"])
def test_an_extra_has_a_lock_with_hashes_that_agrees_with_that_of_the_program(
    extra: str,
) -> None:
    project = tomllib.loads(
        (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    locked, of_program = (
        dict(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?==([^ ;\n]+)", lock, re.M))
        for lock in (
            (REPOSITORY / "requirements" / f"{name}.txt").read_text("utf-8")
            for name in (extra, "run")
        )
    )
    for wanted in map(Requirement, project["optional-dependencies"][extra]):
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)])
    assert of_program.items() <= locked.items()
    text = (REPOSITORY / "requirements" / f"{extra}.txt").read_text("utf-8")
    entries = re.split(r"^(?=[\w.-]+(?:\[[^]]*\])?==)", text, flags=re.M)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
