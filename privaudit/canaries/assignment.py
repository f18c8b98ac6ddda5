"""The assignment of candidates: one fair coin per candidate, from a secret key, and a seal over all of them.

coin = lowest bit of the first byte of HMAC-SHA256(key, SHA-256 of the file). With a random key the coins of distinct
files are independent and fair, as the theorem of Steinke, Nasr, Jagielski 2023 (arXiv:2305.08846) requires. Half of
the candidates are included in expectation, but not exactly, because an exact half would make the coins dependent. The
key alone reproduces the assignment, so a coin that was changed by hand is noticed even without the seal.

seal = SHA-256 over the key and one line per candidate (file hash, coin, caption hash), sorted. It reveals nothing while
the key is secret. Published before training, it proves afterwards that neither coins nor captions were changed. It does
not prove that the coins were tossed only once. For that, the draw must be made by someone who gains nothing by the
outcome.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from privaudit.errors import DataError

VERSION = 1
KEY_BYTES = 32
HOW_TO_VERIFY = (
    "Once canaries.json is disclosed: write a line 'privaudit canaries 1', a line with the key, and one line per "
    "candidate, sorted, with its sha256, 1 if it was included or 0 if not, and the SHA-256 of its caption or '-' "
    "without one, separated by spaces. End every line with a newline character. The SHA-256 of this text is the seal. "
    "'privaudit canaries verify DIR --seal SEAL' does the same, and also checks the files and the coins."
)


@dataclass(frozen=True)
class Candidate:
    """One image with its coin.

    Attributes:
        path: Path of the image, relative to the folder of the assignment.
        sha256: SHA-256 of the file.
        included: Whether the image was assigned to the training set.
        caption: Caption for training, if the manifest has one.
        label: Column ``id`` of the manifest.
    """

    path: str
    sha256: str
    included: bool
    caption: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Assignment:
    """All coins; private until the audit.

    Attributes:
        version: Version of this format.
        created: Time of the draw, UTC.
        seeded: Whether the key follows from a seed that someone may know.
        key: Secret key, 64 hexadecimal digits.
        seal: Public seal, 64 hexadecimal digits.
        candidates: Candidates, in ascending order of their file hash.
    """

    version: int
    created: str
    seeded: bool
    key: str
    seal: str
    candidates: tuple[Candidate, ...]


def key_of_seed(seed: int) -> bytes:
    """Make the key of a reproducible demonstration. Anyone who knows the seed knows every coin."""
    return hashlib.sha256(f"privaudit canaries, seed {seed}".encode()).digest()


def toss(key: bytes, sha256: str) -> bool:
    """Toss the coin of one file."""
    return bool(hmac.new(key, sha256.encode(), hashlib.sha256).digest()[0] & 1)


def seal_of(key: str, candidates: Sequence[Candidate]) -> str:
    """Hash an assignment to its seal (see `HOW_TO_VERIFY`)."""
    lines = sorted(f"{c.sha256} {int(c.included)} {_caption_hash(c.caption)}" for c in candidates)
    text = "".join(f"{line}\n" for line in (f"privaudit canaries {VERSION}", key, *lines))
    return hashlib.sha256(text.encode()).hexdigest()


def check_assignment(assignment: Assignment, published: str | None = None) -> None:
    """Check that coins and captions are those that were drawn and sealed.

    Raises:
        DataError: A coin does not follow from the key, a file occurs twice, or a seal does not match.
    """
    if assignment.version != VERSION:
        raise DataError(f"expected canaries of version {VERSION}, got {assignment.version}; update privaudit")
    key = _key(assignment.key)
    hashes = [candidate.sha256 for candidate in assignment.candidates]
    if len(set(hashes)) < len(hashes):
        raise DataError("expected distinct files among the canaries, but one occurs twice; draw the canaries again")
    changed = [c.path for c in assignment.candidates if c.included != toss(key, c.sha256)]
    if changed:
        raise DataError(
            f"expected the coins that follow from the key, but {len(changed)} of {len(hashes)} differ, the first for "
            f"{changed[0]}; restore canaries.json as it was drawn",
            private=changed[:1],
        )
    seal = seal_of(assignment.key, assignment.candidates)
    if seal != assignment.seal:
        raise DataError(
            f"expected canaries whose hash is their seal {assignment.seal[:12]}, got {seal[:12]}: a candidate or a "
            "caption was changed, added or removed; restore canaries.json as it was drawn"
        )
    if published is not None and published.strip().lower() != seal:
        raise DataError(
            f"expected the published seal {published.strip()[:12]}, got {seal[:12]}; this is not the assignment that "
            "was announced"
        )


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise DataError(f"expected a key of {2 * KEY_BYTES} hexadecimal digits in canaries.json, got other text")
    return key


def _caption_hash(caption: str | None) -> str:
    return "-" if caption is None else hashlib.sha256(caption.encode()).hexdigest()
