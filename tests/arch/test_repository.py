"""What the files of the repository may not hold, and what its lock files must."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.arch.sources import ROOT

# In pieces, so that this file passes its own test.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("conda", "anaconda", "org"),
        ("proxy", "golang", "org"),
        ("index", "crates", "io"),
    )
)
DEVELOPER_PATH = re.compile(
    r"(?<![\w.~/:$}-])/(?:" + "|".join(("work", "root", r"home/\w+", r"Users/\w+")) + r")(?![\w-])"
)
RUNTIME_LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"


def repository_files() -> list[Path]:
    """Return what git tracks, or would if everything were added."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # A checkout of another user's (CI runs as root) is no danger to a listing.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    paths = (ROOT / name for name in sorted(set(listing.stdout.decode().split("\0"))) if name)
    return [path for path in paths if path.is_file()]


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the versions that a lock file gives each name; more than one where they depend on the platform."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][\w.-]*)==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def requirements(*, dev: bool) -> list[Requirement]:
    """Return what pyproject.toml asks for: at run time with `embedded`, or for development."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if dev:
        return [Requirement(line) for line in project["dependency-groups"]["dev"]]
    extras = project["project"]["optional-dependencies"]
    return [Requirement(line) for line in [*project["project"]["dependencies"], *extras["embedded"]]]


def unlocked(asked: list[Requirement], lock: Path) -> list[str]:
    """Return the requirements that the lock does not meet."""
    locked = pins(lock)
    return [
        str(one)
        for one in asked
        if not any(one.specifier.contains(version, prereleases=True) for version in locked.get(one.name, ()))
    ]


def test_no_file_names_a_package_registry() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in repository_files()
        for host in REGISTRY_HOSTS
        if host.encode() in path.read_bytes()
    ]

    assert not found


def test_no_file_names_a_path_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number} {line.strip()}"
        for path in repository_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if DEVELOPER_PATH.search(line)
    ]

    assert not found


@pytest.mark.parametrize("path", ["/{}", "'/{}/main'", "--data=/{}/x", "see (/{})"])
def test_a_path_of_one_machine_is_seen(path: str) -> None:
    assert DEVELOPER_PATH.search(path.format("work"))
    assert DEVELOPER_PATH.search(path.format("root"))


@pytest.mark.parametrize(
    "text", ["net/work", "https://host/root", "/roots", "/work-items", "$HOME/work", "./work", "~/work"]
)
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert not DEVELOPER_PATH.search(text)


def test_there_is_no_uv_lock_for_it_would_name_a_registry() -> None:
    assert [path for path in repository_files() if path.name == "uv.lock"] == []


def test_the_runtime_lock_meets_what_the_project_asks_for() -> None:
    assert unlocked(requirements(dev=False), RUNTIME_LOCK) == [], "run `make lock`"


def test_the_development_lock_holds_the_runtime_lock_and_the_tools() -> None:
    runtime, dev = pins(RUNTIME_LOCK), pins(DEV_LOCK)

    assert unlocked(requirements(dev=True), DEV_LOCK) == [], "run `make lock`"
    assert {name: versions for name, versions in runtime.items() if dev.get(name) != versions} == {}
