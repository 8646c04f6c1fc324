"""The instance pool: kept instances as tight crops in memory-mapped files, ready to paste.

=================  ===========================================================
`format`           what the files of a pool hold
`crops`            from a picture and its mask to a tight crop, and to bytes
`categories`       which categories of a pool are which of a data set
`reader`           `InstancePool`: open, look up, decode, verify
`writer`           the files as they grow, and the rename at the end
`build`            from any items to a pool, in several processes
`from_…`           from a table, a dataset, picture files, or what a path names
=================  ===========================================================
"""

from .categories import CategoryMatch, Classes, Unmatched, match_categories
from .format import FORMAT, INDEX, PoolCategory, PoolManifest, build_hash
from .reader import InstancePool

__all__ = [
    "FORMAT",
    "INDEX",
    "CategoryMatch",
    "Classes",
    "InstancePool",
    "PoolCategory",
    "PoolManifest",
    "Unmatched",
    "build_hash",
    "match_categories",
]
