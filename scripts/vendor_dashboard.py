#!/usr/bin/env python3
"""Fetch what the dashboard takes from others into src/algoexec/dashboard/static/vendor, or check what is there.

    scripts/vendor_dashboard.py            # fetch with `npm pack`, check, unpack
    scripts/vendor_dashboard.py --check    # only compare what is committed with the checksums

Versions and checksums are pinned below; to move to another version change both and look at the diff. The files are
committed, so that nobody who runs or builds the service needs npm.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

VENDOR: Final = Path(__file__).resolve().parents[1] / "src" / "algoexec" / "dashboard" / "static" / "vendor"


class Package(NamedTuple):
    """One npm package: its pinned tarball, and for each file taken from it the name and the SHA-256."""

    name: str
    version: str
    folder: str
    tarball_sha256: str
    files: dict[str, tuple[str, str]]


PACKAGES: Final = (
    Package(
        name="lightweight-charts",
        version="5.2.1",
        folder="lightweight-charts",
        tarball_sha256="64310292298df4dd527494865e5d91d447f8bb397b68de3912c2a6465025ee5e",
        files={
            "package/dist/lightweight-charts.standalone.production.mjs": (
                "lightweight-charts.js",
                "1bb1ee79f9d4dd17261b53d930f7a8995748276f80e7ba0e24412b5068062f5f",
            ),
            "package/dist/typings.d.ts": (
                "lightweight-charts.d.ts",
                "e3d7cd2e718e92c4f61413f1b15aebb39f20c9e987a138b30e575c7843cc8c71",
            ),
            "package/LICENSE": ("LICENSE", "70c9d5382506dd184465425c08a99ad9bd6d9ac1313c252968ba0b585e5ef823"),
        },
    ),
    Package(
        name="@fontsource-variable/inter",
        version="5.3.0",
        folder="inter",
        tarball_sha256="d26710dd38e7217484a1d47ee76c024977ec550548876f26d06ed1844af09a14",
        files={
            "package/files/inter-latin-wght-normal.woff2": (
                "inter-latin.woff2",
                "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
            ),
            "package/LICENSE": ("LICENSE", "3b0a5fca3d17942cde889069889dedbbbd075e9b599968c82a95f4d944e9b345"),
        },
    ),
)


def main() -> int:
    """Do what the command line asks for; return the exit status."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--check", action="store_true", help="fetch nothing; compare what is committed")
    if not arguments.parse_args().check:
        for package in PACKAGES:
            fetch(package)
    wrong = [problem for package in PACKAGES for problem in problems(package)]
    print("\n".join(wrong) or f"vendor: {len(PACKAGES)} packages are as pinned")
    return 1 if wrong else 0


def fetch(package: Package) -> None:
    """Unpack the wanted files of the pinned tarball.

    Raises:
        SystemExit: npm is not there, or gave another tarball than the pinned one.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("vendor: npm is needed to fetch; the committed files work without it")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", f"{package.name}@{package.version}"], cwd=folder, check=True)
        (tarball,) = Path(folder).glob("*.tgz")
        if sha256(tarball) != package.tarball_sha256:
            raise SystemExit(f"vendor: the tarball of {package.name} is not the pinned one: {sha256(tarball)}")
        target = VENDOR / package.folder
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(tarball) as archive:
            for inside, (name, _) in package.files.items():
                member = archive.extractfile(inside)
                if member is None:
                    raise SystemExit(f"vendor: {package.name} has no file {inside}")
                (target / name).write_bytes(member.read())


def problems(package: Package) -> list[str]:
    """Return a sentence for each file that is not the pinned one."""
    found = []
    for name, wanted in package.files.values():
        path = VENDOR / package.folder / name
        if not path.is_file():
            found.append(f"vendor: {path} is missing")
        elif sha256(path) != wanted:
            found.append(f"vendor: {path} is not as pinned: {sha256(path)}")
    return found


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
