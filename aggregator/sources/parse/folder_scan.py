"""Folders: which files below one are ours to read, and which of them changed since the last look.

A look costs one walk of `scandir` and `stat`; nothing is opened. Times come in, so that tests need no clock.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import ReadError, TooManyFilesError
from aggregator.sources.limits import SourceTuning

COMPRESSIONS = (".gz", ".zst")
SUFFIXES = frozenset({".txt", ".html", ".htm", ".json", ".jsonl", ".xml", ".rss", ".atom", ".warc"})
_TEMPORARY = ("~", ".swp", ".swx", ".tmp", ".temp", ".part", ".partial", ".crdownload", ".bak", ".lock")


class FileStamp(FrozenStruct, frozen=True, kw_only=True):
    """What tells one state of a file from another: bytes, and nanoseconds since 1970.

    `ctime_ns` is when the file was last changed or put in its place: a copy may keep its size and `mtime_ns`.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = 0


class ListedFile(FrozenStruct, frozen=True, kw_only=True):
    """One file below a folder. `relative` has "/" between its parts on every system."""

    relative: str
    path: str
    stamp: FileStamp


class FolderChanges(FrozenStruct, frozen=True, kw_only=True):
    """One look at a watched folder. `stamps` is what to hand in as `known` once `changed` has been stored."""

    changed: tuple[str, ...] = ()  # new or different, in order
    gone: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()  # being written: for the next look
    stamps: dict[str, FileStamp]


def scan(folder: Path, known: Mapping[str, FileStamp], *, now_ns: int, tuning: SourceTuning) -> FolderChanges:
    """What changed below `folder` since `known` was taken, by relative path, size and time of change.

    A file touched within `settle_seconds` of `now_ns` (nanoseconds since 1970) keeps its old stamp and waits.
    Raises ReadError when the folder cannot be listed at all: an unmounted disk must not look empty.
    """
    settle_ns = int(tuning.settle_seconds * 1e9)
    stamps: dict[str, FileStamp] = {}
    changed, unsettled = [], []
    for file in listed(folder, tuning):
        before = known.get(file.relative)
        if before == file.stamp:
            stamps[file.relative] = file.stamp
        elif abs(now_ns - file.stamp.mtime_ns) < settle_ns:
            unsettled.append(file.relative)
            stamps |= {file.relative: before} if before is not None else {}
        else:
            changed.append(file.relative)
            stamps[file.relative] = file.stamp
    seen = {*stamps, *unsettled}
    gone = tuple(sorted(path for path in known if path not in seen))
    return FolderChanges(changed=tuple(changed), gone=gone, unsettled=tuple(unsettled), stamps=stamps)


def listed(folder: Path, tuning: SourceTuning) -> Iterator[ListedFile]:
    """The files below `folder` that we can read, sorted by relative path.

    Hidden and temporary files are passed over, as are links that lead outside (and all links to folders,
    which may lead in circles). Raises ReadError when `folder` itself cannot be listed.
    """
    root = Path(os.path.realpath(folder))
    if not os.path.isdir(root):  # noqa: PTH112 - a Path raises where the name is too long, or a folder closed
        raise ReadError("there is no such folder")
    found: list[ListedFile] = []
    waiting = [(root, "")]
    while waiting and len(found) < tuning.max_folder_files:
        directory, prefix = waiting.pop()
        for item in _children(directory, is_root=not prefix):
            relative = prefix + item.name
            if item.is_dir(follow_symlinks=False):
                waiting.append((Path(item.path), relative + "/"))
            elif _has_our_ending(item.name):
                file = _listed(item, relative, root)
                found += [file] if file is not None else []
    yield from sorted(found, key=lambda file: file.relative.replace("/", "\0"))  # by folder, then name


def is_ours(name: str) -> bool:
    """Whether a file of this name is read when it lies in a folder."""
    return not _is_passed_over(name) and _has_our_ending(name)


def _has_our_ending(name: str) -> bool:
    return os.path.splitext(plain_name(name))[1].lower() in SUFFIXES  # noqa: PTH122 - 5 times as fast


def plain_name(name: str) -> str:
    """`name` without the ending of a compression: `x.txt.gz` and `x.txt` are one article."""
    lowered = name.lower()
    return next((name[: -len(end)] for end in COMPRESSIONS if lowered.endswith(end)), name)


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "~$", "#")) or name.lower().endswith(_TEMPORARY)


def _children(directory: Path, *, is_root: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as items:
            return [item for item in items if not _is_passed_over(item.name)]
    except OSError as error:
        if TooManyFilesError.is_behind(error):
            raise TooManyFilesError from error  # what lies in it is not gone
        if is_root:
            raise ReadError(f"{directory}: the folder cannot be read ({error.strerror})") from error
        return []


def _listed(item: os.DirEntry[str], relative: str, root: Path) -> ListedFile | None:
    try:
        if item.is_symlink() and not Path(os.path.realpath(item.path)).is_relative_to(root):
            return None
        state = item.stat()
    except OSError:
        return None  # gone between the listing and now, or a link to nowhere
    if not stat.S_ISREG(state.st_mode):
        return None
    stamp = FileStamp(size=state.st_size, mtime_ns=state.st_mtime_ns, ctime_ns=state.st_ctime_ns)
    return ListedFile(relative=relative, path=item.path, stamp=stamp)
