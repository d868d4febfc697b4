"""Lists the files to read below a folder, and detects which of them changed since the last scan.

A scan is one walk with `scandir` and `stat` and opens no file. The time is a parameter.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from aggregator.model.errors import ReadError, TooManyFilesError
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import word_list, word_set

_MAX_FILES = 1_000_000  # files listed below one folder; if there are more, the path is probably a mistake
# A watched file that changed within this time may still be being written
_SETTLE_NS = 1_000_000_000
COMPRESSIONS = (".gz", ".zst")
SUFFIXES = word_set(
    ".txt .html .htm .mhtml .mht .json .jsonl .ndjson .jl .csv .tsv .xml .rss .atom .warc .eml .mbox"
)
_TEMPORARY = word_list("~ .swp .swx .tmp .temp .part .partial .crdownload .bak .lock")


class FileStamp(FrozenStruct):
    """The state of a file: size in bytes, and times in nanoseconds since 1970.

    `ctime_ns` is when the file was last changed or moved to its place. It is needed because a copy may keep size and
    `mtime_ns`.
    """

    size: int
    mtime_ns: int
    ctime_ns: int = 0


class ListedFile(FrozenStruct):
    """One file below a folder. `relative` has "/" between its parts on every system."""

    relative: str
    path: str
    stamp: FileStamp


class FolderChanges(FrozenStruct):
    """The result of a scan. After `changed` has been stored, pass `stamps` as `known` to the next scan."""

    changed: tuple[str, ...] = ()  # new or different, in order
    gone: tuple[str, ...] = ()
    stamps: dict[str, FileStamp]


def scan(folder: Path, known: Mapping[str, FileStamp], *, now_ns: int) -> FolderChanges:
    """Return the changes below `folder` since `known`, by relative path, size and times.

    A file that changed within the second before `now_ns` (nanoseconds since 1970) keeps its old stamp and is read
    later. Raise ReadError if the folder cannot be listed, because an unmounted disk must not look empty.
    """
    stamps = {}
    changed = []
    gone = set(known)
    for file in list_files(folder):
        gone.discard(file.relative)
        before = known.get(file.relative)
        if before == file.stamp:
            stamps[file.relative] = file.stamp
        elif abs(now_ns - file.stamp.mtime_ns) < _SETTLE_NS:
            if before is not None:
                stamps[file.relative] = before
        else:
            changed.append(file.relative)
            stamps[file.relative] = file.stamp
    return FolderChanges(
        changed=tuple(changed), gone=tuple(sorted(gone)), stamps=stamps
    )


def list_files(folder: Path) -> Iterator[ListedFile]:
    """Yield the files below `folder` that can be read, sorted by relative path.

    Hidden and temporary files are skipped, and so are links to targets outside the folder, and all links to folders,
    because they may form cycles. Raise ReadError if `folder` itself cannot be listed.
    """
    root = Path(os.path.realpath(folder))
    if not os.path.isdir(root):  # noqa: PTH112 - Path raises if the name is too long or a folder is not accessible
        raise ReadError("there is no such folder")
    files: list[ListedFile] = []
    waiting = [(root, "")]
    while waiting and len(files) < _MAX_FILES:
        directory, prefix = waiting.pop()
        has_mail = is_maildir(directory)
        for child in _children(directory, is_root=not prefix):
            relative = prefix + child.name
            if child.is_dir(follow_symlinks=False):
                waiting.append((Path(child.path), relative + "/"))
            elif has_mail or suffix_of(child.name) in SUFFIXES:
                try:
                    if child.is_symlink():
                        target = Path(os.path.realpath(child.path))
                        if not target.is_relative_to(root):
                            continue
                    state = child.stat()
                except OSError:
                    continue  # removed since the listing, or a dangling link
                if stat.S_ISREG(state.st_mode):
                    stamp = FileStamp(
                        size=state.st_size,
                        mtime_ns=state.st_mtime_ns,
                        ctime_ns=state.st_ctime_ns,
                    )
                    files.append(
                        ListedFile(relative=relative, path=child.path, stamp=stamp)
                    )
    # Compare paths folder by folder: "/" sorts before every other character.
    yield from sorted(files, key=lambda file: file.relative.replace("/", "\0"))


def is_maildir(folder: Path) -> bool:
    """Return whether `folder` is `cur` or `new` of a Maildir, whose files have no extension."""
    parent, name = os.path.split(folder)
    return name in {"cur", "new"} and os.path.isdir(os.path.join(parent, "tmp"))  # noqa: PTH112, PTH118 - faster


def suffix_of(name: str) -> str:
    """Return the extension in lower case, ignoring the extension of a compression: `.txt` for `x.TXT.gz`."""
    return os.path.splitext(plain_name(name))[1].lower()  # noqa: PTH122 - five times faster


def plain_name(name: str) -> str:
    """Return `name` without the extension of a compression: `x.txt.gz` and `x.txt` are one article."""
    for end in COMPRESSIONS:
        if name.lower().endswith(end):
            return name[: -len(end)]
    return name


def _children(directory: Path, *, is_root: bool) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as items:
            return [
                child
                for child in items
                if not (
                    child.name.startswith((".", "~$", "#"))
                    or child.name.lower().endswith(_TEMPORARY)
                )
            ]
    except OSError as error:
        if TooManyFilesError.is_behind(error):
            raise TooManyFilesError from error  # its files still exist
        if is_root:
            raise ReadError(
                f"{directory}: the folder cannot be read ({error.strerror})"
            ) from error
        return []
