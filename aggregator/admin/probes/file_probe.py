"""What `doctor` says of the files: the place of the database, its file system, and who may read it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from aggregator.admin import backup_folder, config_check
from aggregator.admin.probes.doctor_context import DoctorContext
from aggregator.config.messages import counted
from aggregator.model.health_report import Finding
from aggregator.store.engine.open_file import files_of
from aggregator.store.read.health.health_probes import of_file, problem, warning

# File systems without working locks or shared memory, on which SQLite's WAL does not work.
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)

_NETWORK_FUSE = (
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
    "fuse.rclone",
    "fuse.davfs",
)

_MOUNTS = Path("/proc/self/mountinfo")


def disk_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check permissions, free space, file system and WAL of the SQLite file."""
    file = context.file
    if file is None:
        return
    folder = file.parent
    existing = next(path for path in (folder, *folder.parents) if path.is_dir())
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        mount = next(path for path in (existing, *existing.parents) if path.is_mount())
        yield problem(
            f"the file system of {existing} is read-only; Linux remounts it so when a disk fails",
            f"dmesg | tail; then: mount -o remount,rw {mount}",
        )
        return
    user = os.environ.get("USER") or str(os.geteuid())
    if not _may(existing, os.W_OK | os.X_OK):
        yield problem(
            f"this user may not write to {file.parent}",
            f"chown {user} {existing}, or set `database:` in {context.config_name}",
        )
    for path in files_of(file):
        if path.exists() and not _may(path, os.R_OK | os.W_OK):
            yield problem(
                f"this user may not write to {path}",
                f"chown {user} {path}; chmod u+rw {path}",
            )
    log = Path(f"{file}-wal")
    yield from of_file(
        context.config.effective_tuning,
        existing / file.name,
        free_disk_bytes=shutil.disk_usage(existing).free,
        log_bytes=log.stat().st_size if log.exists() else None,
    )
    kind = file_system(existing, _MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if kind in _NETWORK or kind.startswith(_NETWORK_FUSE):
        yield problem(
            f"{folder} is on a network file system ({kind}), on which SQLite's locks do not work",
            f"set `database:` in {context.config_name} to a file on a local disk, or to a Postgres database",
        )


def file_system(folder: Path, mounts: str) -> str:
    """Return the file system type of `folder`; `mounts` is the text of /proc/self/mountinfo."""
    path = folder.resolve()
    longest = (0, "")
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        # A later mount hides an earlier one
        if path.is_relative_to(point) and len(point) >= longest[0]:
            longest = (len(point), after.split()[0])
    return longest[1]


def mode_findings(context: DoctorContext) -> Iterator[Finding]:
    """Check whether other users may read the database or its backups."""
    files = [path.path for path in backup_folder.backups(context.config)]
    if context.file is not None:
        files = [*files_of(context.file)[:-1], *files]  # the lock is empty
    wide = [str(path) for path in files if config_check.is_for_others(path)]
    if not wide:
        return
    words = "is readable by other users and contains full texts"
    if len(wide) > 1:
        words = f"and {counted(len(wide) - 1, 'more file')} are readable by other users and contain full texts"
    yield warning(f"{wide[0]} {words}", f"chmod 600 {' '.join(wide)}")


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)
