"""Checks of the machine (limits, locale, memory), of watched folders, and of the files of the database."""

import os
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from aggregator.admin.backup import backup_folder, backup_status, why_not
from aggregator.admin.backup import backups as found_backups
from aggregator.admin.doctor.configuration import is_for_others
from aggregator.admin.doctor.context import DoctorContext, Finding, problem, warning
from aggregator.config.messages import counted


def inspect(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check the limits of this process; the limits of a service may differ."""
    if sys.getfilesystemencoding().lower().replace("-", "") != "utf8":
        yield problem(
            f"file names are read as {sys.getfilesystemencoding()}: other alphabets are lost",
            "export LANG=C.UTF-8",
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < doctor_context.tuning.open_files:
        yield warning(
            f"a process may have {files} open files; {doctor_context.tuning.open_files} are recommended",
            f"ulimit -n {doctor_context.tuning.open_files}, or LimitNOFILE= in the unit",
        )
    if doctor_context.config.work.executor == "processes":
        yield from _memory(doctor_context)


def _memory(doctor_context: DoctorContext) -> Iterator[Finding]:
    workers = doctor_context.config.work.worker_count
    needed = doctor_context.tuning.daemon_bytes + workers * doctor_context.tuning.worker_bytes
    available = _memory_bytes()
    if needed > available:
        yield warning(
            f"the daemon and {counted(workers, 'worker')} need {needed >> 20} MiB of memory; "
            f"{available >> 20} MiB are available",
            f"set `work: {{workers: 1}}` in {doctor_context.file_name}",
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
_OWN_BACKUP = "aggregator db backup"


def folders(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check that the watched folders exist and are readable."""
    for path in watched(doctor_context):
        if is_missing(path):
            yield problem(f"the watched folder {path} does not exist", f"mkdir -p {path}")
        elif not _may(path, os.R_OK | os.X_OK):
            yield problem(f"this user may not read the watched folder {path}", f"chmod a+rx {path}")


def watched(doctor_context: DoctorContext) -> list[Path]:
    """Return the watched folders of the configuration."""
    sources = doctor_context.config.sources
    return [doctor_context.config.path(source.folder) for source in sources if source.folder is not None]


def is_missing(folder: Path) -> bool:
    """Return whether the folder does not exist; False below a folder that this user may not search."""
    try:
        return not folder.is_dir()
    except PermissionError:
        return False
    except OSError:  # a name that is too long
        return True


def place(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check permissions, free space, file system and WAL of the SQLite file."""
    file = doctor_context.file
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
            f"chown {_user()} {existing}, or set `database:` in {doctor_context.file_name}",
        )
    for one in (file, _sibling(file, "-wal"), _sibling(file, "-shm"), _sibling(file, ".lock")):
        if one.exists() and not _may(one, os.R_OK | os.W_OK):
            yield problem(f"this user may not write to {one}", f"chown {_user()} {one}; chmod u+rw {one}")
    free = shutil.disk_usage(existing).free
    if free < doctor_context.tuning.free_disk_bytes:
        advice = f"free some space: df -h {existing}; `retention:` in {doctor_context.file_name}"
        yield problem(f"only {free >> 20} MiB are free in {folder}", advice)
    kind = file_system(existing, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        yield problem(
            f"{folder} is on a network file system ({kind}), on which SQLite's locks do not work",
            f"set `database:` in {doctor_context.file_name} to a file on a local disk, or to a Postgres "
            "database",
        )
    log = _sibling(file, "-wal")
    if log.exists() and log.stat().st_size > doctor_context.tuning.wal_bytes:
        yield warning(
            f"the log {log.name} has {log.stat().st_size >> 20} MiB: a process keeps a read transaction open",
            f"fuser -v {file} shows the process; the log shrinks when it ends",
        )


def modes(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check whether other users may read the database or its backups; older versions created such files."""
    file = doctor_context.file
    files = [] if file is None else [file, _sibling(file, "-wal"), _sibling(file, "-shm")]
    files += [one.path for one in found_backups(doctor_context.config)]
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


def backups(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check whether the daemon makes its backups on time."""
    found = backup_status(doctor_context.config, doctor_context.database, doctor_context.now)
    if found.problem is not None:
        yield _no_backup(found.problem)
    elif found.is_late:
        made = (
            "there is none yet"
            if found.last is None
            else f"the last one is from {found.last.made_at:%Y-%m-%d}"
        )
        yield warning(f"a backup is overdue: {made}", f"{_OWN_BACKUP}; it reports why if it fails")


def backups_to_come(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check whether a backup could be made of a database that does not exist yet."""
    why = (
        None
        if doctor_context.config.backup.every is None
        else why_not(backup_folder(doctor_context.config), 0)
    )
    if why is not None:
        yield _no_backup(why)


def _no_backup(why: str) -> Finding:
    return problem(f"no backup can be made: {why}", f"{_OWN_BACKUP}, when that is corrected")


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
