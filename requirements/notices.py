"""Write the notices and licence texts of an installation's packages into a folder.

    python requirements/notices.py FOLDER

Run it with the Python of that installation (Containerfile). Packages carry their own licence texts; this
lists them, adds the libraries that wheels bring along, and copies the texts of the LGPL and GPL from Debian's
/usr/share/common-licenses. It ends with 1 where a package has no licence text, or the licence of a library
is not known here.
"""

import re
import shutil
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from sysconfig import get_path

COMMON = Path("/usr/share/common-licenses")
# LGPL-3 refers to GPL-3; wheels carry the others in part only
TEXTS = ("LGPL-3", "LGPL-2.1", "GPL-3")
# Of the addresses of a package
PROJECT = re.compile(r"source|code|repository|home", re.IGNORECASE)
LICENCE_FILE = re.compile(r"licen[cs]e|copying|notice|authors", re.IGNORECASE)

# Shared libraries in wheels (folders *.libs), by the beginning of their names; from their own projects.
LIBRARIES = {
    "libcom_err": "MIT",
    "libcrypt-": "LGPL-2.1-or-later",  # libxcrypt
    "libcrypto": "Apache-2.0",
    "libgfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libgssapi_krb5": "MIT",
    "libk5crypto": "MIT",
    "libkeyutils": "LGPL-2.0-or-later",
    "libkrb5": "MIT",
    "liblber": "OLDAP-2.8",
    "libldap": "OLDAP-2.8",
    "libpq": "PostgreSQL",
    "libquadmath": "LGPL-2.1-or-later",
    "libsasl2": "BSD-3-Clause-Attribution",
    "libscipy_openblas": "BSD-3-Clause",
    "libssl": "Apache-2.0",
}

HEAD = """\
aggregator is under the MIT licence. It uses the packages below, each under its own licence.

Parts are covered by the GNU Lesser General Public License: psycopg and psycopg-binary, the libraries marked
LGPL, and iconv, which is linked into the modules of lxml (its LICENSES.txt). They are used unchanged. Each is
a file of its own, or in one that can be built from its project's source, and anyone may replace it. The
source is with the projects, in the versions named here. The texts of the LGPL 3, the LGPL 2.1 and the GPL 3
are beside this file. tld is used under the MPL 1.1.

Paths are below {packages}.
"""


def notice(package: Distribution) -> str:
    """What the list says of a package. Raises ValueError where that is not known."""
    told = package.metadata
    name = told["Name"]
    kinds = [
        one for one in told.get_all("Classifier", []) if one.startswith("License ::")
    ]
    licence = (
        "".join(told.get_all("License-Expression", []))
        or "; ".join(one.rsplit(" :: ", 1)[-1] for one in kinds)
        or "".join(told.get_all("License", [])).partition("\n")[0]
    )
    files = package.files or []
    texts = [
        one
        for one in files
        if LICENCE_FILE.search(one.name) and one.suffix not in (".py", ".pyc")
    ]
    texts = [one for one in texts if Path(str(package.locate_file(one))).is_file()]
    if not licence or not texts:
        raise ValueError(f"{name} {package.version} has no licence, or no text of it")
    lines = [f"{name} {package.version}: {licence}"]
    addresses = [*told.get_all("Home-page", []), *told.get_all("Project-URL", [])]
    addresses.sort(key=lambda one: PROJECT.match(one) is None)
    lines += [f"    project: {one.rsplit(', ', 1)[-1]}" for one in addresses[:1]]
    lines += [f"    text: {one}" for one in texts]
    for library in (one for one in files if one.parts[0].endswith(".libs")):
        known = next(
            (LIBRARIES[start] for start in LIBRARIES if library.name.startswith(start)),
            None,
        )
        if known is None:
            raise ValueError(
                f"the licence of {library}, a part of {name}, is not known: add it to LIBRARIES"
            )
        lines.append(f"    contains {library}: {known}")
    return "\n".join(lines)


def main(folder: Path) -> None:
    """Write the list and the texts."""
    packages = get_path("purelib")
    found = {
        one.metadata["Name"].lower(): one for one in distributions(path=[packages])
    }
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        HEAD.format(packages=packages),
        *(notice(found[name]) for name in sorted(found)),
    ]
    (folder / "NOTICE").write_text("\n".join(parts) + "\n", encoding="utf-8")
    for text in TEXTS:
        shutil.copyfile(COMMON / text, folder / text)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except (ValueError, OSError) as error:
        sys.exit(str(error))
