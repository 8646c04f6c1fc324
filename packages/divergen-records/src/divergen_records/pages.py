"""Pages to look at: HTML by templates that escape whatever is filled in, and that run nothing and load nothing.

A page is one file. Its content security policy allows pictures that it holds itself and its own style, and no script,
so that even text which got past the escaping does nothing. Small pieces are made by `markupsafe.Markup.format`, which
escapes as the templates do.
"""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from typing import TYPE_CHECKING, Any

from .errors import require_extra

if TYPE_CHECKING:
    from jinja2 import Environment, Template

__all__ = ["POLICY", "data_uri", "page_end", "page_start", "template"]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_START = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
"""


def page_start(title: str, style: str) -> str:
    """The beginning of a page, up to its body.

    Args:
        title: Any text.
        style: CSS of ours; foreign text must not be in it.
    """
    return template(_START).render(policy=POLICY, title=title, style=style)


def page_end() -> str:
    """The end of a page."""
    return "</body>\n</html>\n"


def template(text: str) -> Template:
    """A Jinja template that escapes, and knows the policy as ``policy``; a value that is not given is an error."""
    return _environment().from_string(text)


def data_uri(data: bytes, kind: str) -> str:
    """A picture as an address, for example ``data_uri(png, "png")``."""
    return f"data:image/{kind};base64,{b64encode(data).decode('ascii')}"


@cache
def _environment() -> Environment:
    with require_extra("divergen-records", "images"):
        from jinja2 import Environment, StrictUndefined
    made: Any = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.globals["policy"] = POLICY
    found: Environment = made
    return found
