"""Folders and files: what is watched, and where the database and its backups lie.

The machine: its limits, its text, its memory.
"""

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
    """What the system allows this process; a service may be allowed other things."""
    if sys.getfilesystemencoding().lower().replace("-", "") != "utf8":
        yield problem(
            f"names of files are read as {sys.getfilesystemencoding()}: other alphabets are lost",
            "export LANG=C.UTF-8",
        )
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= files < doctor_context.tuning.open_files:
        yield warning(
            f"a process may have {files} files open; {doctor_context.tuning.open_files} are wanted",
            f"ulimit -n {doctor_context.tuning.open_files}, or LimitNOFILE= in the unit",
        )
    if doctor_context.config.work.executor == "processes":
        yield from _memory(doctor_context)


def _memory(doctor_context: DoctorContext) -> Iterator[Finding]:
    workers = doctor_context.config.work.worker_count
    wanted = doctor_context.tuning.daemon_bytes + workers * doctor_context.tuning.worker_bytes
    there = _memory_bytes()
    if wanted > there:
        yield warning(
            f"the daemon and {counted(workers, 'worker')} take {wanted >> 20} MiB of memory; "
            f"there are {there >> 20}",
            f"set `work: {{workers: 1}}` in {doctor_context.file_name}",
        )


def _memory_bytes() -> int:
    """What this process may have: the machine's, or what its control group allows."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file():
        given = limit.read_text(encoding="ascii").strip()
        sizes += [int(given)] if given.isdigit() else []
    return min(sizes)


# Where locks do not hold, or shared memory does not reach: SQLite's WAL must not lie there.
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"})
_NETWORK_FUSE = ("fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs")
_MOUNTS = Path("/proc/self/mountinfo")
_OWN_BACKUP = "aggregator db backup"


def folders(doctor_context: DoctorContext) -> Iterator[Finding]:
    """The folders that are to be read."""
    for path in watched(doctor_context):
        if is_missing(path):
            yield problem(f"watched folder {path} is not there", f"mkdir -p {path}")
        elif not _may(path, os.R_OK | os.X_OK):
            yield problem(f"watched folder {path} cannot be read by this user", f"chmod a+rx {path}")


def watched(doctor_context: DoctorContext) -> list[Path]:
    """The folders that the settings name."""
    sources = doctor_context.config.sources
    return [doctor_context.config.path(source.folder) for source in sources if source.folder is not None]


def is_missing(folder: Path) -> bool:
    """Whether there is no such folder; one below a folder that is closed to us may be there."""
    try:
        return not folder.is_dir()
    except PermissionError:
        return False
    except OSError:  # a name that is too long
        return True


def place(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Where SQLite's file is, or is to be."""
    file = doctor_context.file
    if file is None:
        return
    folder, there = file.parent, _nearest(file.parent)
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        yield problem(
            f"the file system of {there} can only be read, which is what becomes of one whose disk fails",
            f"dmesg | tail; then: mount -o remount,rw {_mount_point(there)}",
        )
        return
    if not _may(there, os.W_OK | os.X_OK):
        yield problem(
            f"{folder} cannot be written by this user",
            f"chown {_user()} {there}, or set `database:` in {doctor_context.file_name}",
        )
    for one in (file, _beside(file, "-wal"), _beside(file, "-shm"), _beside(file, ".lock")):
        if one.exists() and not _may(one, os.R_OK | os.W_OK):
            yield problem(f"{one} cannot be written by this user", f"chown {_user()} {one}; chmod u+rw {one}")
    free = shutil.disk_usage(there).free
    if free < doctor_context.tuning.free_disk_bytes:
        advice = f"make room: df -h {there}; `retention:` in {doctor_context.file_name} bounds what is kept"
        yield problem(f"only {free >> 20} MiB are free in {folder}", advice)
    kind = file_system(there, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        yield problem(
            f"{folder} lies on a network file system ({kind}), where SQLite's locks do not hold",
            f"set `database:` in {doctor_context.file_name} to a file on a disk of this machine, or to a "
            "Postgres",
        )
    log = _beside(file, "-wal")
    if log.exists() and log.stat().st_size > doctor_context.tuning.log_bytes:
        yield warning(
            f"the log {log.name} has {log.stat().st_size >> 20} MiB: something has been reading for long",
            f"fuser -v {file} names who; it shrinks when that one ends",
        )


def modes(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Whether other users may read the database or its backups: older versions made such files."""
    file = doctor_context.file
    files = [] if file is None else [file, _beside(file, "-wal"), _beside(file, "-shm")]
    files += [one.path for one in found_backups(doctor_context.config)]
    wide = [str(one) for one in files if is_for_others(one)]
    if wide:
        more = f" and {len(wide) - 1} more" if len(wide) > 1 else ""
        yield warning(
            f"{wide[0]}{more} may be read by other users; it holds full texts", f"chmod 600 {' '.join(wide)}"
        )


def backups(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Whether the backups that the daemon is to make are made."""
    found = backup_status(doctor_context.config, doctor_context.database, doctor_context.now)
    if found.problem is not None:
        yield _no_backup(found.problem)
    elif found.is_late:
        made = (
            "there is none yet" if found.last is None else f"the last one is of {found.last.made_at:%Y-%m-%d}"
        )
        yield warning(f"a backup is due: {made}", f"{_OWN_BACKUP}; it says why, where it cannot")


def backups_to_come(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Whether backups could be made of a database that is not there yet."""
    why = (
        None
        if doctor_context.config.backup.every is None
        else why_not(backup_folder(doctor_context.config), 0)
    )
    if why is not None:
        yield _no_backup(why)


def _no_backup(why: str) -> Finding:
    return problem(f"no backup can be made: {why}", f"{_OWN_BACKUP}, when that is mended")


def file_system(folder: Path, mounts: str) -> str:
    """The type of the file system that a folder is on, from the text of /proc/self/mountinfo."""
    path, found = str(folder.resolve()), ("", "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        parts = before.split()
        if len(parts) < 5 or not after:
            continue
        point = parts[4].replace("\\040", " ")
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):  # of two at one place the later one lies over the other
            found = (point, after.split()[0])
    return found[1]


def _nearest(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _mount_point(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_mount())


def _beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _user() -> str:
    return os.environ.get("USER") or str(os.geteuid())
