"""`nox` runs lint, types, each package's tests with only that package installed, the integration's tests, the docs.

`nox -s bench` runs the benchmarks.
"""

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "integration", "docs"]

PACKAGES = sorted(path.name for path in Path("packages").iterdir() if (path / "pyproject.toml").exists())
RECORDS = "./packages/divergen-records"
SOURCES = [f"./packages/{name}" for name in PACKAGES] + ["./integration"]
ALONE = """
import sys
from importlib.metadata import distributions
found = {found.name for found in distributions() if found.name.startswith("divergen")}
assert found == set(sys.argv[1:]), found
"""
"""Fails unless these are the only distributions of ours."""
BESIDE = {"divergen-train": ["divergen-evaluate"]}
"""The named exception: a package that another one needs, beside the records."""
TOOLS = ["pytest>=8.2", "hypothesis>=6.100"]


def test_dependencies(package: str) -> list[str]:
    """What a package's tests need besides the package: its dependency group `tests`."""
    groups = nox.project.load_toml(f"packages/{package}/pyproject.toml").get("dependency-groups", {})
    return list(groups.get("tests", []))


def install(session: nox.Session, *requirements: str) -> None:
    """Install, and local distributions afresh whatever version number they carry."""
    local = [Path(requirement.split("[")[0]).name for requirement in requirements if requirement.startswith("./")]
    names = ["divergen" if name == "integration" else name for name in local]
    afresh = [argument for name in names for argument in ("--reinstall-package", name)]
    session.install(*(afresh if session.venv_backend == "uv" else ()), *requirements)


@nox.session
def lint(session: nox.Session) -> None:
    session.install("ruff>=0.9")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    install(
        session,
        *SOURCES,
        "divergen-prompts[llm,tokenizers,wordnet]",
        "divergen-filter[review]",
        "mypy>=1.13",
        "types-PyYAML",
    )
    for package in [*PACKAGES, "divergen"]:
        session.run("mypy", "-p", package.replace("-", "_"))


@nox.session
@nox.parametrize("package", PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    own = [f"{RECORDS}[endpoint,table]"] if package == "divergen-records" else [RECORDS, f"./packages/{package}"]
    beside = BESIDE.get(package, [])
    install(session, *own, *(f"./packages/{name}" for name in beside), *TOOLS, *test_dependencies(package))
    session.run("python", "-c", ALONE, *{"divergen-records", package, *beside})
    session.run("pytest", f"packages/{package}/tests", *session.posargs)


@nox.session
@nox.parametrize("package", PACKAGES)
def lowest(session: nox.Session, package: str) -> None:
    """The tests of a package with the oldest versions that its dependencies allow."""
    own = f"{RECORDS}[endpoint,table]" if package == "divergen-records" else f"./packages/{package}"
    session.install("--resolution", "lowest-direct", own, f"{RECORDS}[table]", *TOOLS, *test_dependencies(package))
    session.run("pytest", f"packages/{package}/tests", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    backends = [
        "divergen-annotate[sam]",
        "divergen-filter[open-clip,review]",
        "divergen-gen[diffusers]",
        "divergen[ultralytics]",
    ]
    tools = [
        *TOOLS,
        "uv>=0.5",
        "import-linter>=2.0",
        "build>=1.2",
        "setuptools>=77",
        "datasets>=3.0",
        "playwright>=1.48",
        "ray>=2.40; python_version<'3.14'",
    ]
    install(session, *SOURCES, *backends, *tools)
    session.run("lint-imports")
    session.run("pytest", "integration/tests", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    install(session, *SOURCES, *TOOLS, "divergen[all]", "scipy")
    for script in sorted([*Path().glob("packages/*/benchmarks/[!_]*.py"), *Path().glob("integration/benchmarks/*.py")]):
        session.log(f"{script}")
        session.run("python", str(script))
    session.run("divergen-paste", "bench")


@nox.session
def docs(session: nox.Session) -> None:
    """The site, into site/: every link leads somewhere, and the tutorials run."""
    site = ["mkdocs>=1.6", "mkdocs-material>=9.5", "mkdocs-jupyter>=0.25", "mkdocstrings[python]>=0.27"]
    install(session, *SOURCES, *site, "ipywidgets>=8", "transformers>=4.56")
    session.run("mkdocs", "build", "--strict", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})
