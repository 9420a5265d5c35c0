"""What training shares with validation and test: near-duplicate pictures and notes.

Pictures: 64-bit difference hashes within `NEAR` bits, as they are or with either of the two mirrored. Both
ways must be near: where pixels are equal the hash of a mirror image is not the mirrored hash, and a dark
picture came within 3 bits of a stranger one way, 7 the other. `duplicates.near_duplicate_groups` keeps every
pair that is found here in one split. Notes: Jaccard of at least `NEAR_NOTE` over words (English) or character
5-grams (Japanese, which has no spaces), after NFKC, case folding and without punctuation.

Notes are compared by prefix filtering (Bayardo, Ma & Srikant, "Scaling Up All Pairs Similarity Search", WWW
2007): two sets with a Jaccard of t share one of the |A| - ceil(t |A|) + 1 rarest grams of A with as many of
B, so an index of those finds every pair, and only pairs that share a rare gram are counted out. Unlike
MinHash it misses none. What stays in memory is 8 bytes a gram of every distinct note.
"""

import math
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from .duplicates import NEAR
from .grammar import Lang
from .progress import Progress
from .rows import Place

NEAR_NOTE = Fraction(4, 5)  # exact: 0.8 as a float would decide pairs on the threshold by rounding
GRAM = 5  # characters
_NOT_LETTERS = re.compile(r"[\W_]+")


class Leak(NamedTuple):
    """A row of training, one outside of it, and how near they are."""

    trained: Place
    held: Place
    near: str


def parts(text: str, lang: Lang) -> frozenset[str]:
    """What two notes are compared by; never empty."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    if lang == "en":
        return frozenset(_NOT_LETTERS.sub(" ", normal).split() or [normal])
    letters = _NOT_LETTERS.sub("", normal) or normal
    return frozenset(letters[i : i + GRAM] for i in range(max(1, len(letters) - GRAM + 1)))


def note_key(text: str, lang: Lang) -> bytes:
    """The note's parts as sorted 64-bit hashes: equal for notes that differ in nothing that is compared."""
    hashes = (blake2b(part.encode(), digest_size=8).digest() for part in parts(text, lang))
    return b"".join(sorted(hashes))


def near_notes(trained: Mapping[bytes, Place], held: Mapping[bytes, Place]) -> Iterator[Leak]:
    """Every pair of distinct notes, by `note_key`, with a Jaccard of NEAR_NOTE or more."""
    frequency: Counter[int] = Counter()
    for keys in (trained, held):
        for key in keys:
            frequency.update(_grams(key))
    index: dict[int, list[bytes]] = defaultdict(list)
    for key in trained:
        for gram in _rarest(_grams(key), frequency):
            index[gram].append(key)
    progress = Progress("notes compared", len(held))
    for key, place in held.items():
        own = set(_grams(key))
        found = dict.fromkeys(other for gram in _rarest(own, frequency) for other in index.get(gram, ()))
        for other in found:
            if _sizes_allow(len(key), len(other)):
                shared = len(own.intersection(_grams(other)))
                union = len(own) + len(other) // 8 - shared
                if shared >= NEAR_NOTE * union:
                    yield Leak(trained[other], place, f"Jaccard {shared / union:.2f}")
        progress.step()


def _grams(key: bytes) -> "array[int]":
    return array("Q", key)


def _rarest(grams: Iterable[int], frequency: Mapping[int, int]) -> list[int]:
    """The prefix in which a near note must share a gram."""
    ordered = sorted(grams, key=lambda gram: (frequency[gram], gram))
    return ordered[: len(ordered) - math.ceil(NEAR_NOTE * len(ordered)) + 1]


def _sizes_allow(a: int, b: int) -> bool:
    """A Jaccard is at most the smaller size over the larger one."""
    return min(a, b) * NEAR_NOTE.denominator >= max(a, b) * NEAR_NOTE.numerator


def near_pictures(
    trained: Mapping[str, Place],
    held: Mapping[str, Place],
    hashes: Mapping[str, tuple[np.uint64, np.uint64]],
) -> Iterator[Leak]:
    """Every pair of pictures (by their paths) that are the same file, or near by `hashes` where given."""
    known = [image for image in trained if image in hashes]
    plain = np.array([hashes[image][0] for image in known], np.uint64)
    mirrored = np.array([hashes[image][1] for image in known], np.uint64)
    progress = Progress("pictures compared", len(held))
    for image, place in held.items():
        if image in trained:
            yield Leak(trained[image], place, "the same file")
        if image in hashes:
            own, flipped = hashes[image]
            turned = np.maximum(np.bitwise_count(plain ^ flipped), np.bitwise_count(mirrored ^ own))
            bits = np.minimum(np.bitwise_count(plain ^ own), turned)
            for i in np.flatnonzero(bits <= NEAR):
                if known[i] != image:
                    yield Leak(trained[known[i]], place, f"{bits[i]} bits")
        progress.step()
