"""What is taken from others is what the script has pinned, with its licence."""

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "vendor_dashboard.py"))


def test_the_committed_files_are_as_pinned() -> None:
    assert [problem for package in SCRIPT["PACKAGES"] for problem in SCRIPT["problems"](package)] == []


def test_each_has_its_licence_and_nothing_else_lies_there() -> None:
    pinned = {
        SCRIPT["VENDOR"] / package.folder / name for package in SCRIPT["PACKAGES"] for name, _ in package.files.values()
    }

    assert {path for path in SCRIPT["VENDOR"].rglob("*") if path.is_file()} == pinned
    assert all((SCRIPT["VENDOR"] / package.folder / "LICENSE").is_file() for package in SCRIPT["PACKAGES"])
