"""How fast the paste is, beside the published mapper's and the copy-paste of other libraries."""

from .report import report

__all__ = ["report"]
