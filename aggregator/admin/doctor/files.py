"""Checks of the machine (limits, locale, memory), of watched folders, and of the files of the database."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from aggregator.admin.backup import backup_folder, backup_state, why_not
from aggregator.admin.backup import backups as found_backups
from aggregator.admin.doctor.configuration import is_for_others
from aggregator.admin.doctor.context import DoctorContext
from aggregator.config.messages import counted
from aggregator.model.health_report import BackupState, DatabaseSize, Finding
from aggregator.pipeline.kinds.source_kind import source_kind
from aggregator.store.read.health_probes import of_database, problem, warning

_DAEMON_BYTES = 256 * 2**20  # memory of a small daemon: 256 MiB (measured: 120 to 200, docs/reliability.md)


def inspect(context: DoctorContext) -> Iterator[Finding]:
    """Check the limits of this process; the limits of a service may differ."""
    if sys.getfilesystemencoding().lower().replace("-", "") != "utf8":
        yield problem(
            f"file names are read as {sys.getfilesystemencoding()}: other alphabets are lost",
            "export LANG=C.UTF-8",
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < context.tuning.open_files:
        yield warning(
            f"a process may have {files} open files; {context.tuning.open_files} are recommended",
            f"ulimit -n {context.tuning.open_files}, or LimitNOFILE= in the unit",
        )
    if context.config.work.executor == "processes":
        yield from _memory(context)


def _memory(context: DoctorContext) -> Iterator[Finding]:
    workers = context.config.work.worker_count
    needed = _DAEMON_BYTES + workers * context.tuning.worker_bytes
    available = _memory_bytes()
    if needed > available:
        yield warning(
            f"the daemon and {counted(workers, 'worker')} need {needed >> 20} MiB of memory; "
            f"{available >> 20} MiB are available",
            f"set `work: {{workers: 1}}` in {context.file_name}",
        )


def _memory_bytes() -> int:
    """Return the memory of the machine, or the limit of the control group if that is smaller."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        text = limit.read_text(encoding="ascii").strip()
        sizes += [int(text)] if text.isdigit() else []
    return min(sizes)


# File systems without working locks or shared memory, on which SQLite's WAL does not work.
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"})
_NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs")
_MOUNTS = Path("/proc/self/mountinfo")


def folders(context: DoctorContext) -> Iterator[Finding]:
    """Check that the watched folders exist and are readable."""
    for path in watched(context):
        if is_missing(path):
            yield problem(f"the watched folder {path} does not exist", f"mkdir -p {path}")
        elif not _may(path, os.R_OK | os.X_OK):
            yield problem(f"this user may not read the watched folder {path}", f"chmod a+rx {path}")


def watched(context: DoctorContext) -> list[Path]:
    """Return the watched folders of the configuration."""
    kinds = ((source_kind(one.kind), one) for one in context.config.sources)
    return [Path(kind.address(one, context.config)) for kind, one in kinds if kind.is_local]


def is_missing(folder: Path) -> bool:
    """Return whether the folder does not exist; False below a folder that this user may not search."""
    try:
        return not folder.is_dir()
    except PermissionError:
        return False
    except OSError:  # a name that is too long
        return True


def place(context: DoctorContext) -> Iterator[Finding]:
    """Check permissions, free space, file system and WAL of the SQLite file."""
    file = context.file
    if file is None:
        return
    folder, existing = file.parent, _nearest(file.parent)
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        yield problem(
            f"the file system of {existing} is read-only; Linux remounts it so when a disk fails",
            f"dmesg | tail; then: mount -o remount,rw {_mount_point(existing)}",
        )
        return
    if not _may(existing, os.W_OK | os.X_OK):
        yield problem(
            f"this user may not write to {folder}",
            f"chown {_user()} {existing}, or set `database:` in {context.file_name}",
        )
    for one in (file, _sibling(file, "-wal"), _sibling(file, "-shm"), _sibling(file, ".lock")):
        if one.exists() and not _may(one, os.R_OK | os.W_OK):
            yield problem(f"this user may not write to {one}", f"chown {_user()} {one}; chmod u+rw {one}")
    log = _sibling(file, "-wal")
    size = DatabaseSize(
        size_bytes=0,
        log_bytes=log.stat().st_size if log.exists() else None,
        free_disk_bytes=shutil.disk_usage(existing).free,
    )
    yield from of_database(context.tuning, place=size, file=existing / file.name)
    kind = file_system(existing, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        yield problem(
            f"{folder} is on a network file system ({kind}), on which SQLite's locks do not work",
            f"set `database:` in {context.file_name} to a file on a local disk, or to a Postgres database",
        )


def modes(context: DoctorContext) -> Iterator[Finding]:
    """Check whether other users may read the database or its backups; older versions created such files."""
    file = context.file
    files = [] if file is None else [file, _sibling(file, "-wal"), _sibling(file, "-shm")]
    files += [one.path for one in found_backups(context.config)]
    wide = [str(one) for one in files if is_for_others(one)]
    if wide:
        if len(wide) == 1:
            words = f"{wide[0]} is readable by other users and contains full texts"
        else:
            more = counted(len(wide) - 1, "more file")
            words = f"{wide[0]} and {more} are readable by other users and contain full texts"
        yield warning(
            words,
            f"chmod 600 {' '.join(wide)}",
        )


def backups(context: DoctorContext) -> Iterator[Finding]:
    """Check whether the daemon makes its backups on time."""
    backup = backup_state(context.config, context.database, context.now)
    yield from of_database(context.tuning, backup=backup)


def backups_to_come(context: DoctorContext) -> Iterator[Finding]:
    """Check whether a backup could be made of a database that does not exist yet."""
    why = None if context.config.backup.every is None else why_not(backup_folder(context.config), 0)
    if why is not None:
        backup = BackupState(words=f"no backup can be made: {why}")
        yield from of_database(context.tuning, backup=backup)


def file_system(folder: Path, mounts: str) -> str:
    """Return the file system type of `folder`; `mounts` is the text of /proc/self/mountinfo."""
    path, found = str(folder.resolve()), ("", "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        parts = before.split()
        if len(parts) < 5 or not after:
            continue
        point = parts[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):  # a later mount at the same point hides an earlier one
            found = (point, after.split()[0])
    return found[1]


def _nearest(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _mount_point(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_mount())


def _sibling(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _user() -> str:
    return os.environ.get("USER") or str(os.geteuid())
