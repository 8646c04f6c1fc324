"""Where a path is: on this machine, or on an object store (``s3://``, ``gs://``, ``az://``).

`place` answers that, and gives a `Path` either way. What an object store can do as a folder can, a `StorePath` does by
itself: tables, small files, locks. For all else, `local` brings what is there to this machine, and `publish` takes what
was made here there.
"""

from .paths import StorePath, is_address, place
from .refusing import refuse_store

__all__ = ["StorePath", "is_address", "place", "refuse_store"]
