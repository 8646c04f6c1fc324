"""The procedural renderer: parametric shape programs, prompts read for attributes, several rendering styles."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attributes import Attributes, parse_attributes
    from .builder import ShapeProgram
    from .catalogue import CATEGORIES, category_names, known
    from .looks import FAULTS, SPOILT, STYLES
    from .member import Member
    from .render import Picture, Rendering, render_object, render_picture

__all__ = [
    "CATEGORIES",
    "FAULTS",
    "SPOILT",
    "STYLES",
    "Attributes",
    "Member",
    "Picture",
    "Rendering",
    "ShapeProgram",
    "category_names",
    "known",
    "parse_attributes",
    "render_object",
    "render_picture",
]

_HOME = {
    "CATEGORIES": "catalogue",
    "FAULTS": "looks",
    "SPOILT": "looks",
    "STYLES": "looks",
    "Attributes": "attributes",
    "Member": "member",
    "Picture": "render",
    "Rendering": "render",
    "ShapeProgram": "builder",
    "category_names": "catalogue",
    "known": "catalogue",
    "parse_attributes": "attributes",
    "render_object": "render",
    "render_picture": "render",
}
"""Where each name lives; only `render` needs OpenCV."""


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
