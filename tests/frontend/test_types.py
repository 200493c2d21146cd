"""A client generated from openapi.json by a public generator compiles, and so does the page by the same types."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MODULES = HERE / "node_modules"

pytestmark = pytest.mark.timeout(400)


def run(*command: str | Path, cwd: Path = HERE) -> str:
    """Run a command; return what it says. Fails with that when the command does."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tools() -> Path:
    """Return where the generator and the compiler are; they are fetched once, as the lock file has them."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("no node and npm")
    wanted = (HERE / "package-lock.json").read_bytes()
    stamp = MODULES / ".as-locked"
    if not stamp.is_file() or stamp.read_bytes() != wanted:
        fetched = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=HERE, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if fetched.returncode != 0:
            pytest.skip(f"npm cannot fetch the generator: {fetched.stderr.strip()[-200:]}")
        stamp.write_bytes(wanted)
    return MODULES / ".bin"


@pytest.fixture(scope="module")
def types(tools: Path) -> Path:
    """Return the types of the committed openapi.json."""
    made = HERE / "generated" / "algoexec-api.d.ts"
    made.parent.mkdir(exist_ok=True)
    run(tools / "openapi-typescript", ROOT / "openapi.json", "--default-non-nullable", "false", "--output", made)
    return made


def test_the_page_is_right_by_the_types_of_the_interface(tools: Path, types: Path) -> None:
    run(tools / "tsc", "--project", HERE / "tsconfig.json")


def test_a_page_that_asks_for_what_is_not_there_is_found_out(tools: Path, types: Path, tmp_path: Path) -> None:
    wrong = HERE / "generated" / "wrong.ts"
    wrong.write_text(
        'import type { components } from "./algoexec-api";\n'
        'export const profit = (session: components["schemas"]["SessionOut"]) => session.profits;\n'
    )
    done = subprocess.run(
        [tools / "tsc", "--noEmit", "--strict", wrong], cwd=HERE, capture_output=True, text=True, check=False
    )
    wrong.unlink()

    assert "Property 'profits' does not exist" in done.stdout


def test_the_client_of_the_manual_compiles(tools: Path, types: Path) -> None:
    (client,) = re.findall(r"^```ts\n(.*?)^```", (ROOT / "docs" / "frontend.md").read_text(), re.MULTILINE | re.DOTALL)
    written = HERE / "generated" / "client.ts"
    written.write_text(client)

    run(
        tools / "tsc", "--noEmit", "--strict", "--target", "esnext", "--module", "esnext",
        "--moduleResolution", "bundler", "--lib", "esnext,dom,dom.iterable", written,
    )  # fmt: skip


def test_what_the_manual_calls_is_there() -> None:
    page = (ROOT / "docs" / "frontend.md").read_text()
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]
    known = [re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(path)) for path in paths] + [
        "/ws/signals",
        "/docs",
        "/openapi.json",
    ]
    named = {path for path in re.findall(r"`(?:GET |POST |DELETE )?(/[a-z][\w/{}.-]*)", page) if path != "/reject"}

    assert len(named) > 15
    for path in named:
        assert any(re.fullmatch(one, path) for one in known), path


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (HERE / "package-lock.json").read_text()
