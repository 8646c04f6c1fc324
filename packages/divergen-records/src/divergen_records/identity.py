"""Ids and seeds from content, never from counters, so that they do not depend on order, sharding or resume."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["derive_seed", "instance_id", "short_hash"]


def short_hash(*parts: object, size: int = 16) -> str:
    """Hex digest of the parts' texts, ``2 * size`` characters. Parts are length-prefixed: ("ab",) is not ("a", "b")."""
    digest = blake2b(digest_size=size)
    for part in parts:
        data = str(part).encode()
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def instance_id(*, category: str, prompt: str, generator: str, generator_revision: str, seed: int) -> str:
    """Id of an instance, 32 hex characters: equal for equal content, on every machine."""
    return short_hash("instance/1", category, prompt, generator, generator_revision, seed)


def derive_seed(*parts: object) -> int:
    """A seed, 0 <= seed < 2**63, from what it belongs to: (run seed, category, prompt, generator, index)."""
    return int(short_hash("seed/1", *parts, size=8), 16) >> 1
