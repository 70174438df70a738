"""Which truth belongs to which image: one rule for every command, by the names."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from ..errors import InputError
from . import paths

Tokens = tuple[str, ...]  # the words and numbers of a name


def paired(
    images: Sequence[str],
    truths: Sequence[str],
    *,
    source: str | os.PathLike,
    spare: bool = False,
) -> list[int]:
    """Find the truth of every image by the names, whatever was written around what they share.

    Names are compared without their suffixes, as words and numbers: ``slice_1`` belongs to ``slice_1_mask``,
    ``mask_slice_01`` or ``truth-1``, never to ``slice_10_mask``. The first rule counts that finds a truth for
    every image and none twice: the names are the same; what differs within the images is what differs
    within the truths; one name is part of the other, longest names first.

    Parameters
    ----------
    images, truths : sequence of str
        Names of files, with their folders below the one that was named.
    source : str or path
        Where the truths came from, for messages.
    spare : bool
        There may be truths that belong to no image.

    Returns
    -------
    list of int
        For every image the place of its truth.

    Raises
    ------
    InputError
        If they cannot be paired one to one.

    Examples
    --------
    >>> paired(["slice_1.png", "slice_10.png"], ["slice_10_mask.png", "slice_1_mask.png"], source="truth")
    [1, 0]
    >>> paired(["a.png", "b.png"], ["a_seg.png", "c_seg.png"], source="truth")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: truth: no truth for b.png (1 of 2 images has none), and c_seg.png ...
    """
    image_stems = list(map(_stem, images))
    truth_stems = list(map(_stem, truths))
    image_tokens = list(map(_tokens, image_stems))
    truth_tokens = list(map(_tokens, truth_stems))
    rules = (
        (_by_key, image_stems, truth_stems),
        (_by_difference, image_tokens, truth_tokens),
        (_by_part, image_tokens, truth_tokens),
    )
    pairs: dict[int, int] = {}
    for rule, image_keys, truth_keys in rules:
        attempt = rule(image_keys, truth_keys)
        if len(attempt) > len(pairs):
            pairs = attempt
        if len(pairs) == len(images):
            break
    lacking = [name for place, name in enumerate(images) if place not in pairs]
    used = set(pairs.values())
    over = [name for place, name in enumerate(truths) if place not in used]
    if lacking or (over and not spare):
        raise InputError(f"{source}: {_complaint(lacking, over, len(images))}")
    return [pairs[place] for place in range(len(images))]


def are_unrelated(images: Sequence[str], truths: Sequence[str]) -> bool:
    """Tell whether no name of an image has a word or a number in common with any name of a truth.

    Parameters
    ----------
    images, truths : sequence of str

    Returns
    -------
    bool

    Examples
    --------
    >>> are_unrelated(["head 50", "head 51"], ["1.png", "2.png"])
    True
    >>> are_unrelated(["slice 0", "slice 1"], ["slice_1_mask.png", "slice_2_mask.png"])
    False
    """
    image_words = set().union(*(_tokens(_stem(name)) for name in images))
    truth_words = set().union(*(_tokens(_stem(name)) for name in truths))
    return image_words.isdisjoint(truth_words)


def _complaint(lacking: list[str], over: list[str], count: int) -> str:
    parts = []
    if lacking:
        have = "has" if len(lacking) == 1 else "have"
        parts.append(f"no truth for {lacking[0]} ({len(lacking)} of {count} images {have} none)")
    if over:
        belong = "belongs" if len(over) == 1 else "belong"
        parts.append(f"{paths.some(over)} {belong} to no image")
    example = os.path.splitext(lacking[0] if lacking else "slice_1")[0]
    return f"{', and '.join(parts)}; name each truth like its image, such as {example}_mask.png"


def _stem(name: str) -> str:
    """Name a file without its suffix."""
    stem = os.path.splitext(name)[0]
    if name.lower().endswith(".nii.gz"):
        stem = os.path.splitext(stem)[0]
    return unicodedata.normalize("NFC", stem)


def _tokens(stem: str) -> Tokens:
    """Split a name into its words and numbers; what stands between them is left out."""
    parts = re.findall(r"[0-9]+|[^\W\d_]+", stem.casefold())
    return tuple(part.lstrip("0").rjust(1, "0") if part.isdecimal() else part for part in parts)


def _is_word(token: str) -> bool:
    return not token[0].isdecimal()


def _by_difference(images: list[Tokens], truths: list[Tokens]) -> dict[int, int]:
    """Pair by what differs within the images and within the truths, unless numbers speak against it."""
    image_keys, image_numbers = _what_differs(images)
    truth_keys, truth_numbers = _what_differs(truths)
    if not (image_numbers <= truth_numbers or image_numbers >= truth_numbers):
        return {}  # such as those of two patients
    return _by_key(image_keys, truth_keys)


def _what_differs(names: list[Tokens]) -> tuple[list[Tokens], Counter]:
    """Leave out what all names begin or end with, and words that all have; give the numbers left out, too."""
    if len(names) < 2:
        return [tuple(token for token in name if not _is_word(token)) for name in names], Counter()
    first = _shared(names)
    last = _shared([name[first:][::-1] for name in names])
    whole = names[0]
    ends = whole[:first] + whole[len(whole) - last :]
    cut = [name[first : len(name) - last] for name in names]
    words = {token for token in set.intersection(*map(set, cut)) if _is_word(token)}
    keys = [tuple(token for token in name if token not in words) for name in cut]
    return keys, Counter(token for token in ends if not _is_word(token))


def _shared(names: list[Tokens]) -> int:
    """Count the tokens that all names begin with."""
    count = 0
    for column in zip(*names, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _by_key(image_keys: list, truth_keys: list) -> dict[int, int]:
    """Pair what has the same key and shares it with nobody else."""
    image_counts = Counter(image_keys)
    truth_counts = Counter(truth_keys)
    places = {key: place for place, key in enumerate(truth_keys)}
    return {place: places[key] for place, key in enumerate(image_keys) if image_counts[key] == truth_counts[key] == 1}


def _by_part(images: list[Tokens], truths: list[Tokens]) -> dict[int, int]:
    """Pair names of which one is part of the other, if there is one such truth left; the longest names choose first."""
    image_lengths = {len(name) for name in images}
    truth_lengths = {len(name) for name in truths}
    wholes: dict[Tokens, set[int]] = {}  # the truths of each name
    holders: dict[Tokens, set[int]] = {}  # the truths that each part belongs to
    for place, truth in enumerate(truths):
        wholes.setdefault(truth, set()).add(place)
        for part in _parts(truth, image_lengths):
            holders.setdefault(part, set()).add(place)
    pairs: dict[int, int] = {}
    for place in sorted(range(len(images)), key=lambda place: -len(images[place])):
        name = images[place]
        truth_place = _the_only_one(
            holders.get(name, set()),
            *(wholes.get(part, set()) for part in _parts(name, truth_lengths)),
        )
        if truth_place is None:
            continue
        pairs[place] = truth_place
        truth = truths[truth_place]
        wholes[truth].discard(truth_place)
        for part in _parts(truth, image_lengths):
            holders[part].discard(truth_place)
    return pairs


def _parts(name: Tokens, lengths: set[int]) -> set[Tokens]:
    """Give the tokens that follow one another in a name, so many at a time."""
    parts = set()
    for length in lengths:
        if length:
            parts.update(name[start : start + length] for start in range(len(name) - length + 1))
    return parts


def _the_only_one(*groups: set[int]) -> int | None:
    """Give what the groups hold, if it is one thing."""
    places: set[int] = set()
    for group in groups:
        if len(group) > 1:
            return None
        places |= group
    return places.pop() if len(places) == 1 else None
