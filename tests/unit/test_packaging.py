"""What would be installed: the explicit list in pyproject.toml is what lies on disk, no more and no less."""

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = SETTINGS["tool"]["setuptools"]
NOT_INSTALLED = {"tests", "benchmarks", "docs", "build", "dist"}


def packages_on_disk() -> set[str]:
    """Every folder that an import of `emporion` can reach: with an ``__init__`` in it and in all above it."""
    found = {"emporion"}
    for init in ROOT.glob("*/**/__init__.py"):
        parts = init.parent.relative_to(ROOT).parts
        above = [ROOT.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts))]
        if parts[0] not in NOT_INSTALLED and not parts[0].startswith(".") and all(path.exists() for path in above):
            found.add(".".join(("emporion", *parts)))
    return found


def folder_of(package: str) -> Path:
    return ROOT.joinpath(*package.split(".")[1:])


def data_files() -> set[Path]:
    return {
        path
        for package, patterns in SETUPTOOLS["package-data"].items()
        for pattern in patterns
        for path in folder_of(package).glob(pattern)
    }


def installed_files() -> set[str]:
    modules = {path for package in SETUPTOOLS["packages"] for path in folder_of(package).glob("*.py")}
    return {f"emporion/{path.relative_to(ROOT)}" for path in modules | data_files()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout as it is now, built from a copy: building leaves folders behind."""
    copy = tmp_path_factory.mktemp("wheel") / "checkout"
    copytree(ROOT, copy, ignore=ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__"))
    build = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", build, str(copy.parent)], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return copy.parent / done.stdout.splitlines()[-1]


def test_the_list_of_packages_is_what_is_on_disk() -> None:
    listed = SETUPTOOLS["packages"]
    assert set(listed) == packages_on_disk()
    assert len(listed) == len(set(listed))


def test_nothing_is_installed_that_was_not_listed() -> None:
    assert SETUPTOOLS["include-package-data"] is False
    assert SETUPTOOLS["package-dir"] == {"emporion": "."}
    assert {package.partition(".")[0] for package in SETUPTOOLS["packages"]} == {"emporion"}


def test_only_three_modules_stand_at_the_root() -> None:
    assert {path.name for path in ROOT.glob("*.py")} == {"__init__.py", "__main__.py", "errors.py"}
    assert (ROOT / "py.typed").exists()


def test_every_pattern_of_data_files_finds_some() -> None:
    for package, patterns in SETUPTOOLS["package-data"].items():
        for pattern in patterns:
            assert any(folder_of(package).glob(pattern)), f"{package}: {pattern}"


def test_every_module_of_a_sample_is_installed_with_it() -> None:
    on_disk = {path for path in (ROOT / "samples").glob("**/*.py") if "__pycache__" not in path.parts}
    assert on_disk == {path for path in on_disk if f"emporion/{path.relative_to(ROOT)}" in installed_files()}


def test_a_wheel_contains_what_was_listed_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = {name for name in names if name.partition("/")[0].endswith(".dist-info")}
    assert names - metadata == installed_files()
    assert any(name.endswith("/entry_points.txt") for name in metadata)
    assert any(name.endswith("/LICENSE") for name in metadata)


def test_a_program_from_the_wheel_runs_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """The demo: a host, its sandboxes and a client, in an environment that has the wheel and our dependencies."""
    venv.create(tmp_path, symlinks=True)
    python = tmp_path / "bin" / "python"
    (site,) = tmp_path.glob("lib/python*/site-packages")
    # Folders in a .pth file lend their packages, but no .pth of theirs is read, such as that of an editable install.
    wanted = [re.split(r"[^\w-]", wish)[0] for wish in SETTINGS["project"]["dependencies"]]
    folders = {str(distribution(name).locate_file("")) for name in wanted}
    (site / "dependencies.pth").write_text("\n".join(folders), encoding="utf-8")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    where = "import emporion; print(emporion.__file__)"
    found = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(found.stdout.strip()).is_relative_to(tmp_path)
    demo = subprocess.run([python, "-m", "emporion", "demo"], capture_output=True, text=True, cwd=tmp_path, timeout=90)
    assert demo.returncode == 0, demo.stderr
    assert "2 were refused" in demo.stdout


def test_only_the_command_line_pays_for_its_libraries() -> None:
    """Sandbox processes import the package too; what the command line needs must not be in their way."""
    use = "import sys, emporion; emporion.Host, emporion.connect; print({'typer', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", use], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
