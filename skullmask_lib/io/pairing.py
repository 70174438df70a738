"""Which truth belongs to which image, by their names: one rule for every command.

Only names are compared here; no file is opened.
"""

import os
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Sequence

from ..errors import InputError, InputWarning
from . import paths
from .paths import AnyPath

Tokens = tuple[str, ...]  # the words and numbers of a name


def paired(
    images: Sequence[str],
    truths: Sequence[str],
    *,
    source: AnyPath,
    spare: bool = False,
) -> list[int]:
    """Find the truth of every image by the names.

    Names are compared without their suffixes, as words and numbers: ``slice_1`` belongs to
    ``slice_1_mask``, ``mask_slice_01`` or ``truth-1``, never to ``slice_10_mask``. Of these rules
    the first counts that finds a truth for every image, and none twice:

    1. The names are the same.
    2. What differs within the images is what differs within the truths.
    3. One name is part of the other; the longest names choose first.

    Parameters
    ----------
    images, truths : sequence of str
        Names of files, with their folders below the one that was named.
    source : str or path
        Where the truths come from, for messages.
    spare : bool
        Whether there may be truths that belong to no image.

    Returns
    -------
    list of int
        The place of the truth of every image.

    Raises
    ------
    InputError
        If they cannot be paired one to one.

    Examples
    --------
    >>> masks = ["slice_10_mask.png", "slice_1_mask.png"]
    >>> paired(["slice_1.png", "slice_10.png"], masks, source="truth")
    [1, 0]
    >>> paired(["a.png", "b.png"], ["a_seg.png", "c_seg.png"], source="truth")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: truth: no truth for b.png (1 of 2 images has none), ...
    """
    pairs = _pairs(list(map(_stem, images)), list(map(_stem, truths)))
    lacking = [name for place, name in enumerate(images) if place not in pairs]
    used = set(pairs.values())
    unused = [name for place, name in enumerate(truths) if place not in used]
    if lacking or (unused and not spare):
        complaint = _complaint(lacking, unused, len(images))
        raise InputError(complaint, where=source)
    return [pairs[place] for place in range(len(images))]


def warn_of_order(reason: str, source: AnyPath, *, stacklevel: int) -> None:
    """Warn that truths were paired with images by nothing but their order.

    Parameters
    ----------
    reason : str
        Why not by name.
    source : str or path
        Where the truths come from.
    stacklevel : int
        As `warnings.warn` takes it.

    Warns
    -----
    InputWarning

    Examples
    --------
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn_of_order("one side has no names", "truth.npy", stacklevel=1)
    >>> print(caught[0].message)
    truth.npy: paired with the images in order, for one side has no names
    """
    remark = f"paired with the images in order, for {reason}"
    warnings.warn(InputWarning(remark, where=source), stacklevel=stacklevel)


def _pairs(images: list[str], truths: list[str]) -> dict[int, int]:
    """Pair by the first rule that finds a truth for every image, or by the one that finds most."""
    image_tokens = list(map(_tokens, images))
    truth_tokens = list(map(_tokens, truths))
    rules = (
        (_by_key, images, truths),
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
    return pairs


def are_unrelated(images: Sequence[str], truths: Sequence[str]) -> bool:
    """Return whether images and truths have no word and no number in their names in common.

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
    return _words(images).isdisjoint(_words(truths))


def _words(names: Sequence[str]) -> set[str]:
    words: set[str] = set()
    for name in names:
        words.update(_tokens(_stem(name)))
    return words


def _complaint(lacking: list[str], unused: list[str], count: int) -> str:
    parts = []
    if lacking:
        have = "has" if len(lacking) == 1 else "have"
        share = f"{len(lacking)} of {count} images {have} none"
        parts.append(f"no truth for {lacking[0]} ({share})")
    if unused:
        belong = "belongs" if len(unused) == 1 else "belong"
        parts.append(f"{paths.some(unused)} {belong} to no image")
    example = _stem(lacking[0]) if lacking else "slice_1"
    hint = f"name each truth like its image, such as {example}_mask.png"
    return f"{', and '.join(parts)}; {hint}"


def _stem(name: str) -> str:
    """Return the name of a file without its suffix."""
    stem = os.path.splitext(name)[0]
    if name.lower().endswith(".nii.gz"):
        stem = os.path.splitext(stem)[0]
    return unicodedata.normalize("NFC", stem)


def _tokens(stem: str) -> Tokens:
    """Split a name into its words and numbers; what stands between them is left out."""
    parts = re.findall(r"[0-9]+|[^\W\d_]+", stem.casefold())
    return tuple(map(_token, parts))


def _token(part: str) -> str:
    """Write a number without leading zeros."""
    if not part.isdecimal():
        return part
    return part.lstrip("0") or "0"


def _is_word(token: str) -> bool:
    return not token[0].isdecimal()


def _by_difference(images: list[Tokens], truths: list[Tokens]) -> dict[int, int]:
    """Pair by what differs within each side, unless the numbers left out differ."""
    image_keys, image_numbers = _differences(images)
    truth_keys, truth_numbers = _differences(truths)
    if image_numbers <= truth_numbers or image_numbers >= truth_numbers:
        return _by_key(image_keys, truth_keys)
    return {}  # such as the slices of two patients


def _differences(names: list[Tokens]) -> tuple[list[Tokens], Counter]:
    """Leave out what all names share; return the rest, and the numbers that were left out.

    Names share what all begin or end with, and words that stand anywhere in all of them.
    """
    if len(names) < 2:
        return list(map(_numbers, names)), Counter()
    head = _shared(names)
    tail = _shared([name[head:][::-1] for name in names])
    middles = [name[head : len(name) - tail] for name in names]
    shared_words = set(filter(_is_word, set.intersection(*map(set, middles))))
    keys = [_without(shared_words, middle) for middle in middles]
    first = names[0]
    ends = first[:head] + first[len(first) - tail :]
    return keys, Counter(_numbers(ends))


def _numbers(name: Tokens) -> Tokens:
    return tuple(token for token in name if not _is_word(token))


def _without(words: set[str], name: Tokens) -> Tokens:
    return tuple(token for token in name if token not in words)


def _shared(names: list[Tokens]) -> int:
    """Count the tokens that all names begin with."""
    count = 0
    for column in zip(*names, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def _by_key(image_keys: list, truth_keys: list) -> dict[int, int]:
    """Pair an image and a truth that share a key with each other and with nobody else."""
    image_counts = Counter(image_keys)
    truth_counts = Counter(truth_keys)
    places = {key: place for place, key in enumerate(truth_keys)}
    pairs = {}
    for place, key in enumerate(image_keys):
        if image_counts[key] == truth_counts[key] == 1:
            pairs[place] = places[key]
    return pairs


def _by_part(images: list[Tokens], truths: list[Tokens]) -> dict[int, int]:
    """Pair names of which one is part of the other, if one such truth is left.

    The longest names choose first.
    """
    image_lengths = {len(name) for name in images}
    truth_lengths = {len(name) for name in truths}
    wholes: dict[Tokens, set[int]] = {}  # truths by their names
    holders: dict[Tokens, set[int]] = {}  # truths by the parts of their names
    for place, truth in enumerate(truths):
        wholes.setdefault(truth, set()).add(place)
        for part in _parts(truth, image_lengths):
            holders.setdefault(part, set()).add(place)
    pairs: dict[int, int] = {}
    longest_first = sorted(range(len(images)), key=lambda place: -len(images[place]))
    for place in longest_first:
        name = images[place]
        candidates = [holders.get(name, set())]
        for part in _parts(name, truth_lengths):
            candidates.append(wholes.get(part, set()))
        truth_place = _the_only_one(candidates)
        if truth_place is None:
            continue
        pairs[place] = truth_place
        truth = truths[truth_place]
        wholes[truth].discard(truth_place)
        for part in _parts(truth, image_lengths):
            holders[part].discard(truth_place)
    return pairs


def _parts(name: Tokens, lengths: set[int]) -> set[Tokens]:
    """Return the runs of tokens in a name that have one of some lengths."""
    parts = set()
    for length in lengths:
        if length:
            for start in range(len(name) - length + 1):
                parts.add(name[start : start + length])
    return parts


def _the_only_one(groups: list[set[int]]) -> int | None:
    """Return what all groups hold together, if it is one place."""
    places: set[int] = set()
    for group in groups:
        if len(group) > 1:
            return None
        places |= group
    return places.pop() if len(places) == 1 else None
