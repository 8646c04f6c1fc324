"""Pages of the site that stand elsewhere: READMEs, each command's `--help`, the public names of each package."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path, PurePosixPath
from posixpath import relpath

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {path.parent.name: path.parent for path in sorted(ROOT.glob("packages/*/pyproject.toml"))}
PACKAGES["divergen"] = ROOT / "integration"
ELSEWHERE = {ROOT / f"{name.upper()}.md": f"{name}.md" for name in ("contributing", "changelog", "security")}
ELSEWHERE |= {folder / "README.md": f"packages/{name}.md" for name, folder in PACKAGES.items()}
ELSEWHERE[ROOT / "README.md"] = "index.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the pages of each package in the contents, where `mkdocs.yml` names their folder."""
    assert config.nav is not None
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # for the notebooks' commands
    for entry in config.nav:
        for title, target in entry.items():
            if isinstance(target, str) and target.endswith("/"):
                entry[title] = [{name: f"{target}{name}.md"} for name in PACKAGES if _has(target, name)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages, and the pictures of the packages' READMEs."""
    for source, place in ELSEWHERE.items():
        if place != "index.md":
            text = _moved(source.read_text(encoding="utf-8"), source, PurePosixPath(place))
            files.append(File.generated(config, place, content=text))
    for name, folder in PACKAGES.items():
        for picture in folder.glob("docs/*.[jp][pn]g"):
            files.append(File.generated(config, f"packages/{name}/{picture.name}", abs_src_path=str(picture)))
        for kind, page in (("commands", _command), ("api", _api)):
            if _has(f"{kind}/", name):
                files.append(File.generated(config, f"{kind}/{name}.md", content=page(name)))
    return files


def _has(kind: str, name: str) -> bool:
    return kind != "commands/" or (PACKAGES[name] / "src" / _module(name) / "cli.py").exists()


def _module(name: str) -> str:
    return name.replace("-", "_")


def _command(name: str) -> str:
    main = import_module(f"{_module(name)}.cli").main
    return f"# {name}\n\n" + "\n".join(_helps(click.Context(main, info_name=name, max_content_width=110)))


def _helps(context: click.Context) -> Iterator[str]:
    """The `--help` of a command and of all below it, as it is printed."""
    yield f"## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from _helps(click.Context(command, info_name=name, parent=context))


def _api(name: str) -> str:
    module = import_module(_module(name))
    names = "\n\n".join(f"::: {_module(name)}.{public}" for public in dir(module) if not public.startswith("_"))
    return f"# {_module(name)}\n\n{(module.__doc__ or '').strip()}\n\n{names}\n"


def _moved(text: str, source: Path, place: PurePosixPath) -> str:
    """A text whose links are those of the file that it was, as a page of the site."""

    def picture(match: re.Match[str]) -> str:
        path = (source.parent / match[2]).resolve()
        if path.is_relative_to(ROOT / "docs"):
            found = path.relative_to(ROOT / "docs").as_posix()
        else:
            found = f"packages/{next(name for name, own in PACKAGES.items() if path.is_relative_to(own))}/{path.name}"
        return f"![{match[1]}]({relpath(found, place.parent.as_posix())})"

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[2].partition("#")
        if not target or "://" in target:
            return match[0]
        path = (source.parent / target).resolve()
        found = ELSEWHERE.get(path) or ELSEWHERE.get(path / "README.md")
        if found is None:  # a file of the checkout that is no page
            return f"{match[1]} (`{path.relative_to(ROOT).as_posix()}`)"
        return f"[{match[1]}]({relpath(found, place.parent.as_posix())}{'#' + anchor if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\]\[]+)\]\(([^)\s]+)\)", link, re.sub(r"!\[([^\]]*)\]\(([^)\s]+)\)", picture, text))
