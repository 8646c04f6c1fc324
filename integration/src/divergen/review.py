"""Let people look at a run's instances as they will be pasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .run import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["review_run"]


def review_run(run: Run, **options: Any) -> dict[str, int]:
    """Serve the review page of a run until Ctrl-C; see `divergen_filter.review.serve.serve_review`.

    Args:
        run: A run that has masks.
        options: The reviewer, the port, and who is told the page's address.

    Returns:
        Kind of verdict -> instances.
    """
    from divergen_filter import References
    from divergen_filter.review.serve import serve_review

    references = References.load(run.references) if run.references.exists() else None
    return serve_review(
        run.table, rules=run.config.rules, references=references, title=run.folder.resolve().name, cut=_cut, **options
    )


def _cut(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The instance (H, W, 3) and its mask (H, W) as the pool will hold them."""
    from divergen_paste.pool.crops import make_crop

    crop = make_crop(picture, mask, category_id=0, source="review")
    return crop.image, crop.mask
