"""The versions that determine the result of a job.

A worker on another machine must have the same versions, or the same page would have two texts.
"""

import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import aggregator
from aggregator.text.lines import word_list

# The packages and modules that determine the result of a job (intake/jobs.py).
_DECIDING = word_list("""
    extract grouping/copies grouping/fingerprint.py grouping/pairs sources/parse sources/source_limits.py text
    model/entry.py model/prepared.py model/structs.py config/tuning.py config/tuning.yaml
    intake/jobs.py intake/page_list.py
""")
# The libraries that determine an entry, a text, a language, a date or a signature.
_LIBRARIES = word_list("""
    charset-normalizer courlan datasketch feedparser htmldate justext lxml numpy py3langid PyStemmer tld trafilatura
""")


@cache
def program_versions() -> dict[str, str]:
    """Return the version of each part; `code` is a hash of the files that determine a result."""
    parts = {
        "aggregator": aggregator.__version__,
        "code": hash_of_code(Path(aggregator.__file__).parent),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    for library in _LIBRARIES:
        try:
            parts[library] = version(library)
        except PackageNotFoundError:
            parts[library] = "missing"
    return parts


def version_differences(
    ours: Mapping[str, str], theirs: Mapping[str, str]
) -> str | None:
    """Return how the versions of another program differ, as text; None if they do not."""
    differences = [
        f"{name} {theirs.get(name, 'missing')} (here {ours.get(name, 'missing')})"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    ]
    return ", ".join(differences) or None


def hash_of_code(package: Path) -> str:
    """Return a hash of the files of `package` that determine the result of a job."""
    digest = hashlib.blake2b(digest_size=6)
    for name in _DECIDING:
        top = package / name
        for file in (
            sorted(path for path in top.rglob("*") if path.is_file())
            if top.is_dir()
            else [top]
        ):
            if file.suffix != ".pyc":
                digest.update(f"{file.relative_to(package).as_posix()}\n".encode())
                digest.update(hashlib.blake2b(file.read_bytes()).digest())
    return digest.hexdigest()
