"""What `sm.check` replies: true or false, one sentence, three hints, and never the answer."""

import itertools
import re
from fractions import Fraction

import cv2
import numpy as np
import pytest
from markdown_it import MarkdownIt
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib.exercises import (
    checking,
    comparisons,
    definitions,
    lesson_08,
    lesson_10,
)
from skullmask_lib.exercises.definitions import Exercise, Mistake
from skullmask_lib.volumes import brain_masks

LESSONS = definitions.lessons()
EXERCISES = [exercise for lesson in LESSONS for exercise in definitions.of_lesson(lesson)]
SENTENCE = re.compile(r"[A-Z][^\n]*[.?]")


def worst_answers():
    """List answers that pass no check: nothing, constants, empty and full masks, the truth."""
    data = sm.load("phantom")
    nothing = [..., None, 0, 1, 0.5, True, "", " ", [], (), {}, set(), np.nan, object(), type]
    arrays = [np.array([]), np.zeros(5), np.zeros((3, 3)), np.array(1), np.array(["a"])]
    full = [np.zeros_like(data.truth[2]), np.ones_like(data.truth[2]), data.truth[2], data.truth]
    zeros = [[0] * count for count in range(1, 9)]
    ones = [[1.0] * count for count in range(1, 9)]
    return [*nothing, *arrays, *full, *zeros, *ones, data, data.images[2]]


@pytest.fixture(autouse=True)
def no_hints_yet():
    checking._progress.clear()


@pytest.fixture
def toy(monkeypatch):
    """Put an exercise that asks for a number in place of all others."""
    exercise = Exercise(
        "01.1",
        kind="modify",
        level=1,
        minutes=1,
        wanted="one number",
        solution=lambda: 0.25,
        right="a quarter.",
        hints=("first.", "second.", "third."),
        mistakes=(Mistake(lambda: 0.75, "this is the rest."),),
    )
    monkeypatch.setattr(definitions, "of_lesson", lambda _: (exercise,))


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_no_check_passes_for_an_answer_that_answers_nothing(exercise):
    answers = worst_answers()
    if exercise.arguments is not None:
        answers += [lambda *_, answer=answer: answer for answer in worst_answers()]
        answers += [lambda *arguments, index=index: arguments[index] for index in (0, -1)]
    for answer in answers:
        reply = sm.check(exercise.name, answer)
        assert not reply, answer
        assert SENTENCE.fullmatch(reply.sentence), reply
        assert not reply.sentence.startswith("Not checked"), reply


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_replies_are_sentences_that_hold_no_answer(exercise):
    replies = [mistake.reply for mistake in exercise.mistakes]
    for text in (exercise.right, *exercise.hints, *replies):
        assert re.fullmatch(r"[^\n]*[.?]", text), text
        assert not re.search(r"[.?!] +[A-Z]", text), f"more than one sentence: {text}"
    assert len(set(exercise.hints)) == 3
    assert len(set(replies)) == len(replies)
    expected = checking._outcome(exercise, exercise.solution)
    if isinstance(expected, dict):
        expected = list(expected.values())
    for number in np.ravel(expected) if exercise.arguments is None else ():
        shown = re.compile(rf"(?<![\d.]){re.escape(f'{number:.3g}')}(?!\d)")
        if not float(number).is_integer() or number > 9:
            assert not [text for text in (*exercise.hints, *replies) if shown.search(text)]


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_the_solution_passes_and_each_mistake_gets_its_own_reply(exercise):
    def reply_to(answer):
        return sm.check(exercise.name, answer if exercise.arguments else answer())

    assert reply_to(exercise.solution).sentence == f"Right: {exercise.right}"
    for mistake in exercise.mistakes:
        reply = reply_to(mistake.answer)
        assert not reply
        assert reply.sentence == f"Not yet: {mistake.reply}"


def test_a_reply_is_true_or_false_and_shows_as_one_sentence(toy):  # noqa: ARG001
    right, wrong = sm.check("01.1", 0.25), sm.check("01.1", 0.75)
    assert bool(right) is True
    assert bool(wrong) is False
    assert repr(right) == str(right) == right.sentence == "Right: a quarter."
    assert wrong._repr_markdown_() == "**Not yet:** this is the rest."
    with pytest.raises(AttributeError):
        wrong.is_right = True


def shown(reply):
    """Give the text of a reply as a notebook shows it, and the tags in it."""
    tokens = (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(reply._repr_markdown_())
    )
    parts = [part for token in tokens for part in token.children or []]
    return "".join(part.content for part in parts), {part.tag for part in parts} - {""}


@pytest.mark.parametrize(
    "message",
    [
        "<lambda>() missing 1 required positional argument: 'x'",
        "__init__() takes *args, **kwargs and x[0](y)",
        "![a](b.png) ~~c~~ $d$ &lt; \\* |",
        "<script>alert(1)</script>",
    ],
)
def test_the_text_of_an_error_is_shown_as_it_is(message):
    def answer(*_):
        raise ValueError(message)

    reply = sm.check("01.2", answer)
    line = "raise ValueError(message)"
    assert reply.sentence.endswith(f"({message}) at `{line}`.")
    assert shown(reply) == (reply.sentence.replace("`", ""), {"strong", "code"})


def test_the_line_at_which_a_function_stopped_is_quoted():
    def helper(mask):
        return mask.missing

    def answer(image):
        return helper(image)

    assert sm.check("01.2", answer).sentence.endswith(" at `return mask.missing`.")
    assert "`" not in sm.check("01.2", lambda _: 1 / 0 or "`").sentence
    assert "`" not in sm.check("01.2", np.linalg.inv).sentence


def test_a_lambda_keeps_its_name():
    reply = sm.check("01.2", lambda: 0)
    text, _ = shown(reply)
    assert "<lambda>()" in text


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_code_and_emphasis_of_our_replies_stay(exercise):
    replies = [mistake.reply for mistake in exercise.mistakes]
    for text in (exercise.right, *exercise.hints, *replies):
        assert checking.Reply(False, f"Not yet: {text}")._repr_markdown_() == f"**Not yet:** {text}"


def test_wrong_answers_lead_through_three_hints_and_a_right_one_starts_anew(toy):  # noqa: ARG001
    hints = [sm.check("01.1", wrong).sentence for wrong in (0.1, 0.2, 0.75, 0.3, 0.4)]
    assert [hint.rpartition(" ")[2] for hint in hints] == [
        *("first.", "second."),
        "rest.",
        *("third.", "third."),
    ]
    assert "hint 2 of 3" in hints[1]
    assert sm.check("01.1", 0.2502)
    assert "first" in sm.check("01.1", 0.1).sentence


def hint_number(answer):
    return int(re.search(r"[Hh]int (\d) of 3", sm.check("01.1", answer).sentence)[1])


def test_the_same_answer_again_gets_the_same_hint(toy):  # noqa: ARG001
    numbers = [hint_number(answer) for answer in (0.1, 0.1, 0.2, 0.1001, 0.3, 0.2)]
    assert numbers == [1, 1, 2, 2, 3, 3]


def test_an_answer_that_was_changed_in_place_is_another_one(monkeypatch):
    exercise = Exercise(
        "01.1",
        kind="modify",
        level=1,
        minutes=1,
        wanted="an array",
        solution=lambda: np.eye(5, dtype=np.uint8),
        right="the diagonal.",
        hints=("first.", "second.", "third."),
        mistakes=(),
    )
    monkeypatch.setattr(definitions, "of_lesson", lambda _: (exercise,))
    answer = np.zeros((5, 5), np.uint8)
    for place in (1, 2, 3):
        answer[0, place] = 1
        assert hint_number(answer) == place


def test_asking_moves_on_to_the_last_hint(toy):  # noqa: ARG001
    numbers = [hint_number(answer) for answer in ("hint", 0.1, 0.1, "hint", "hint")]
    assert numbers == [1, 2, 2, 3, 3]
    assert sm.check("01.1", 0.25)
    assert hint_number("hint") == 1


@pytest.mark.parametrize("word", ["Hint", "HINT", " hint "])
def test_a_hint_may_be_asked_for_in_capitals(word, toy):  # noqa: ARG001
    assert hint_number(word) == 1


@pytest.mark.usefixtures("doubling")
def test_the_same_results_of_another_function_get_the_same_hint():
    assert "hint 1" in sm.check("01.1", lambda number: 3 * number + 1).sentence
    assert "hint 1" in sm.check("01.1", lambda number: 1 + number * 3).sentence


@pytest.mark.parametrize(
    ("answer", "is_rounded"),
    [(0.33, True), (0.3, False), (0.34, False), (0.0, False), (0.3337, False)],
)
def test_an_answer_that_is_rounded_too_far_is_told_so(monkeypatch, answer, is_rounded):
    third = Exercise(
        "01.1",
        kind="modify",
        level=1,
        minutes=1,
        wanted="a number",
        solution=lambda: 1 / 3,
        right="a third.",
        hints=("first.", "second.", "third."),
        mistakes=(),
        tolerance=0.0002,
    )
    monkeypatch.setattr(definitions, "of_lesson", lambda _: (third,))
    reply = sm.check("01.1", answer)
    assert not reply
    assert ("decimals" in reply.sentence) == is_rounded


def test_a_function_of_one_value_is_not_told_that_it_is_right():
    assert "decimals" not in sm.check("00.2", lambda *_: 0.9).sentence
    assert "decimals" not in sm.check("00.2", lambda *_: 0.95).sentence
    assert not sm.check("04.1", 0.01)
    assert "decimals" not in sm.check("04.1", 0.01).sentence


def test_a_function_that_rounds_its_results_is_told_so():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "00.2"]
    assert "decimals" in sm.check("00.2", lambda px: round(exercise.solution(px), 2)).sentence
    assert "decimals" not in sm.check("00.2", lambda px: round(exercise.solution(px), 1)).sentence


def test_a_rounded_score_beside_a_width_is_seen():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "05.2"]

    def rounded(image, true):
        width, iou = exercise.solution(image, true)
        return width, round(iou, 2)

    def named(image, true):
        return dict(zip(("width", "IoU"), rounded(image, true), strict=True))

    assert "decimals" in sm.check("05.2", rounded).sentence
    assert "decimals" in sm.check("05.2", named).sentence


def test_no_answer_costs_no_hint(toy):  # noqa: ARG001
    for answer in (..., None, "", [0.25]):
        sm.check("01.1", answer)
    assert "hint 1 of 3" in sm.check("01.1", 0.1).sentence


@pytest.mark.parametrize("answer", [(0.5, ...), [..., ...], {"v1": ...}])
def test_three_dots_among_the_values_are_no_answer_yet(answer):
    assert sm.check("00.1", answer).sentence == checking.NO_ANSWER
    assert sm.check("05.2", lambda *_: answer).sentence == checking.NO_ANSWER


def test_a_blank_beside_the_name_does_no_harm(toy):  # noqa: ARG001
    assert sm.check(" 01.1 ", 0.25)


def test_an_unknown_name_gets_the_nearest_one():
    for name in ("1.1", "01,1", "01.10", 1.1):
        assert "did you mean 01.1?" in sm.check(name, 1).sentence
    for name in ("", None, ..., "a\nb", object()):
        reply = sm.check(name)
        assert reply.sentence.startswith("Not checked: there is no exercise")
        assert SENTENCE.fullmatch(reply.sentence)


class Hostile:
    """An answer that raises whatever is asked of it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __str__(self):
        raise RuntimeError

    __eq__ = __float__ = __len__ = __iter__ = __array__ = __bool__ = __str__
    __hash__ = None


def exits(image):  # noqa: ARG001
    raise SystemExit


def recurses(image):
    return recurses(image)


def divides(image):
    return image.size / 0


def takes_nothing():
    return 1


@pytest.mark.parametrize("name", ["01.1", "01.2"])
def test_nothing_is_raised(name):
    for answer in (Hostile(), exits, recurses, divides, takes_nothing):
        assert not sm.check(name, answer)
    assert not sm.check(Hostile(), 1)
    for function in (exits, recurses, divides):
        assert "your function stopped" in sm.check("01.2", function).sentence


def test_a_function_gets_copies_and_is_told_if_it_changes_them():
    def spoils(image):
        image[:] = 0
        return image

    before = sm.load("phantom").images.copy()
    assert "copy" in sm.check("01.2", spoils).sentence
    assert np.array_equal(sm.load("phantom").images, before)


def test_a_function_that_knows_only_the_lessons_slice_is_told():
    image = sm.load("phantom").images[2]
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "01.2"]
    known = exercise.solution(image)
    assert "variable of the lesson" in sm.check("01.2", lambda _: known).sentence
    values = iter((1, 255, 255))
    spoilt = sm.check("01.2", lambda image: next(values) * exercise.solution(image))
    assert "255" in spoilt.sentence


@pytest.mark.usefixtures("doubling")
def test_a_function_that_knows_only_some_cases_is_not_just_suspected_of_a_lessons_variable():
    reply = sm.check("01.1", lambda number: 2 * number if number < 4 else 0)
    assert "miss a case" in reply.sentence


def test_a_function_may_return_the_same_array_each_time():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "01.2"]
    mask = np.zeros_like(sm.load("phantom").truth[2])

    def in_place(image):
        mask[:] = exercise.solution(image)
        return mask

    assert sm.check("01.2", in_place)


def test_a_list_that_grows_from_call_to_call_is_right_for_the_first_input():
    def batch(number, count, size, batches=[]):  # noqa: B006
        batches += [turn % count for turn in range(number * size, (number + 1) * size)]
        return batches

    assert "right for the first input" in sm.check("31.2", batch).sentence


def test_a_view_of_a_dict_or_a_range_is_as_good_as_a_list():
    assert sm.check("20.1", dict.fromkeys([3, 9, 18]).keys())
    assert "hint 1" in sm.check("20.1", {"a": 3, "b": 9, "c": 15}.values()).sentence
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "31.2"]

    def batch(number, count, size):
        first = number * size
        if first + size <= count:
            return range(first, first + size)
        return exercise.solution(number, count, size)

    assert sm.check("31.2", batch)


def test_a_network_is_not_to_be_asked_about_an_image_that_is_upside_down():
    turned = sm.check(
        "30.2", lambda ask, image: (ask(image) + np.rot90(ask(np.rot90(image, 2)), 2)) / 2
    )
    assert "as well" in turned.sentence
    assert "image alone" in sm.check("30.2", lambda ask, image: ask(image)).sentence


def test_batches_go_on_after_the_second_round():
    def batch(number, count, size):
        turns = range(number * size, (number + 1) * size)
        return [turn - count if turn >= count else turn for turn in turns]

    assert "once" in sm.check("31.2", batch).sentence


def test_a_sweep_that_never_takes_the_scalp_out_is_told():
    def best_width(image, true):
        brain = sm.versions.brain_and_scalp(image)["brain"]
        ious = {}
        for width in range(1, 62):
            grown = cv2.dilate(brain, np.ones((width, width), np.uint8))
            ious[width] = sm.iou(sm.masks.fill_holes(grown), true)
        best = max(ious, key=ious.get)
        return best, ious[best]

    assert "the scalp" in sm.check("05.2", best_width).sentence


def test_distances_may_be_measured_instead_of_dilated():
    def mended(image):
        stages = sm.trace("v7", image)
        near = ndimage.distance_transform_edt(stages["filled"] == 0) <= 21
        labels, areas_px = sm.masks.label_components(stages["bright"])
        chosen = stages["brain"].copy()
        for label in range(1, len(areas_px)):
            if areas_px[label] > 100 and near[labels == label].all():
                chosen[labels == label] = 1
        return sm.masks.fill_holes(sm.masks.dilate(chosen, 26))

    assert sm.check("06.2", mended)


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_flood_that_starts_at_bright_pixels_of_the_frame_is_told(is_kept):
    def flood(dark):
        frame = np.ones_like(dark)
        frame[1:-1, 1:-1] = False
        wet = frame
        before = -1
        while wet.sum() != before:
            before = wet.sum()
            wet = ndimage.binary_dilation(wet) & dark
            if is_kept:
                wet |= frame
        return wet

    assert "frame" in sm.check("02.2", flood).sentence


@pytest.mark.parametrize("axis", [1, None])
def test_columns_that_are_rolled_get_a_reply_of_their_own(axis):
    truth, mask = np.zeros((2, 6, 6), np.uint8)
    truth[1:5, 1:5] = mask[2:5, 1:6] = 1
    rolled = np.roll(mask, 1, axis)
    assert "columns" in sm.check("00.1", (sm.iou(truth, rolled), sm.dice(truth, rolled))).sentence


def test_a_grid_that_is_too_small_is_told_so():
    def on_small_grid(radius_px):
        distance_px = np.hypot(*np.ogrid[-50:51, -50:51])
        return sm.iou(distance_px <= radius_px - 1, distance_px <= radius_px)

    assert "grid" in sm.check("00.2", on_small_grid).sentence


_CORNERS = {
    "top left": np.s_[:30, :30],
    "top right": np.s_[:30, -30:],
    "bottom left": np.s_[-30:, :30],
    "bottom right": np.s_[-30:, -30:],
}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_some_corners_are_not_enough(count):
    for names in itertools.combinations(_CORNERS, count):

        def band(gray, names=names):
            corners = [gray[_CORNERS[name]] for name in names]
            return np.percentile(corners, 99), sm.masks.otsu_threshold(gray)

        sentence = sm.check("03.2", band).sentence
        assert sentence.startswith("Not yet")
        assert "first corner" not in sentence


@pytest.mark.parametrize("whole", [int, round])
def test_an_ellipse_in_whole_pixels_is_told_so(whole):
    def ellipse(image, width):
        head = sm.v2(image)
        [outline], _ = cv2.findContours(head, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        (x, y), (first, second), angle = cv2.fitEllipse(outline)
        middle_px = whole(x), whole(y)
        halves_px = whole((first - width) / 2), whole((second - width) / 2)
        return cv2.ellipse(np.zeros_like(head), middle_px, halves_px, angle, 0, 360, 1, -1)

    assert "whole pixels" in sm.check("07.2", ellipse).sentence


def test_a_bridge_in_the_grey_levels_is_told_so():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "04.2"]
    reply = sm.check("04.2", lambda image: exercise.solution(sm.masks.normalize(image)))
    assert "grey levels" in reply.sentence


def test_samples_that_are_taken_for_millimetres_are_told():
    def iou_of(image, true, spacing_mm):
        head = sm.polar.unwrap(image, spacing_mm)
        path = 2 + lesson_08._price(head.brightness)[:, 2:].argmin(axis=1)
        outline = sm.polar.half_maximum(head.brightness, path, head.cut)
        return sm.iou(sm.polar.fill_outline(head, outline), true)

    assert "2 samples" in sm.check("08.2", iou_of).sentence


def test_a_curve_on_256_grey_levels_is_told_so():
    def iou_of(image, true, power):
        return sm.iou(sm.v7((sm.masks.normalize(image) / 255) ** power), true)

    assert "256" in sm.check("09.2", iou_of).sentence


def test_a_share_at_the_threshold_is_not_called_that_of_the_head_alone():
    assert "not at it" in sm.check("09.1", (0, 1.0)).sentence


def test_a_noisy_slice_with_clahe_is_not_called_too_noisy_alone():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "10.1"]
    clean, _ = exercise.solution()
    assert "CLAHE" in sm.check("10.1", (clean, 1.0)).sentence


def test_a_repair_of_one_hot_pixel_is_told_so():
    def box(image):
        return lesson_10._box(np.where(image == image.max(), 0, image))

    assert "single pixel" in sm.check("10.2", box).sentence


@pytest.mark.full
def test_a_gaussian_that_is_far_too_wide_is_told_so():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "12.2"]

    def variation(volume, sizes_mm, tissue):
        return exercise.solution(volume, 1 / sizes_mm, tissue)

    assert "too wide" in sm.check("12.2", variation).sentence


def test_one_width_for_all_axes_is_told():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "12.2"]

    def variation(volume, sizes_mm, tissue):
        return exercise.solution(volume, np.full(3, sizes_mm[0]), tissue)

    assert "each axis" in sm.check("12.2", variation).sentence


@pytest.mark.full
def test_a_dice_that_is_rounded_to_one_is_told_so():
    assert "rounded" in sm.check("31.1", 1.0).sentence


@pytest.mark.full
def test_a_mask_as_it_was_is_told_so():
    assert "as it was" in sm.check("32.2", lambda mask, _: mask).sentence


def test_the_steps_of_an_ablation_may_come_in_any_order_with_their_names():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "07.1"]
    changes = exercise.solution()
    assert sm.check("07.1", dict(sorted(changes.items(), key=lambda item: item[1])))
    assert sm.check("07.1", dict(enumerate(changes.values())))
    assert not sm.check("07.1", sorted(changes.values()))
    by_name = {step: changes[step] for step in sorted(changes)}
    rounded = {step: round(change, 2) for step, change in by_name.items()}
    assert "decimals" in sm.check("07.1", rounded).sentence
    assert "sign" in sm.check("07.1", {step: -change for step, change in by_name.items()}).sentence


@pytest.mark.full
def test_a_search_that_tries_one_mask_is_not_right():
    def best(volume, true):
        t = 2 * brain_masks.otsu_range(volume)[0]
        mask = brain_masks.brain_mask(volume, threshold=(t, 2.5 * t), closing_radius=0)
        return sm.dice(mask, true), 1, 2.5, 0

    assert not sm.check("11.2", best)


@pytest.mark.parametrize(
    "part", [[0, -1], np.s_[:, [0, -1]], np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]]
)
def test_a_flood_from_a_part_of_the_frame_is_told(part):
    def flood(dark):
        start = np.zeros_like(dark)
        start[part] = dark[part]
        return ndimage.binary_propagation(start, mask=dark)

    assert "it should start at" in sm.check("02.2", flood).sentence


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_flood_from_some_sides_is_told_which(count):
    sides = {"top": np.s_[0], "bottom": np.s_[-1], "left": np.s_[:, 0], "right": np.s_[:, -1]}
    for names in itertools.combinations(sides, count):

        def flood(dark, names=names):
            start = np.zeros_like(dark)
            for name in names:
                start[sides[name]] = dark[sides[name]]
            return ndimage.binary_propagation(start, mask=dark)

        sentence = sm.check("02.2", flood).sentence
        assert f"starts at the {' and the '.join(names)} alone" in sentence


def test_pieces_keep_their_holes():
    [exercise] = [exercise for exercise in EXERCISES if exercise.name == "32.2"]

    def filled(mask, least_px):
        return exercise.solution(sm.masks.fill_holes(mask), least_px)

    assert not sm.check("32.2", filled)


def test_the_area_of_a_contour_is_no_count_of_pixels():
    def by_outlines(mask, least_px):
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        pieces = np.zeros_like(mask)
        for outline in outlines:
            if cv2.contourArea(outline) >= least_px:
                cv2.drawContours(pieces, [outline], -1, 1, -1)
        return pieces

    assert "contourArea" in sm.check("32.2", by_outlines).sentence


def test_what_a_function_returns_is_told_from_what_an_answer_is():
    assert sm.check("01.2", 5).sentence.startswith("Not yet: this is one number")
    assert "function returns one number" in sm.check("01.2", lambda _: 5).sentence
    assert "returns nothing" in sm.check("01.2", lambda _: None).sentence


def test_a_function_that_returns_what_the_lesson_has_is_told():
    mask = sm.v1(sm.load("phantom").images[2])
    assert "the same for every input" in sm.check("01.2", lambda _: mask).sentence


@pytest.fixture
def doubling(monkeypatch):
    """Put an exercise that asks for a function of a number in place of all others."""
    exercise = Exercise(
        "01.1",
        kind="make",
        level=1,
        minutes=1,
        wanted="a function",
        solution=lambda number: 2 * number,
        right="twice.",
        hints=("first.", "second.", "third."),
        mistakes=(
            Mistake(lambda number: number**2, "this is the square."),
            Mistake(lambda number: number + 2, "this adds."),
        ),
        arguments=lambda: [(2,), (3,), (4,), (5,)],
    )
    monkeypatch.setattr(definitions, "of_lesson", lambda _: (exercise,))


@pytest.mark.usefixtures("doubling")
@pytest.mark.parametrize(
    ("results", "part"),
    [
        ((4, 5, 6, 7), "this adds."),
        ((4, 9, 8, 25), "the square."),  # wrong as a square is, where it is wrong
        ((4, 9, 16, 9), "variable of the lesson"),  # a coincidence at the first wrong inputs
        ((3, 9, 16, 25), "hint 1"),
        ((4, 4, 4, 4), "variable of the lesson"),
        ((7, 7, 7, 7), "the same for every input"),
    ],
)
def test_a_mistake_is_named_if_it_explains_every_wrong_result(results, part):
    values = iter(results)
    assert part in sm.check("01.1", lambda _: next(values)).sentence


def test_warnings_of_a_method_are_not_shown(recwarn):
    sm.check("01.2", lambda image: sm.v5(np.zeros_like(image)))
    assert not recwarn.list


MASK = np.array([[0, 1, 1], [0, 1, 0], [0, 0, 0]], np.uint8)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (MASK.T, "rows and columns"),
        (255 * MASK, "255"),
        (1 - MASK, "swapped"),
        (MASK == 0, "swapped"),
        (0 * MASK, "empty"),
        (0 * MASK + 1, "everywhere"),
        (3 * MASK, "only 0 and 1"),
        (MASK[:2], "(2, 3)"),
    ],
)
def test_remarks_on_masks(answer, part):
    assert not comparisons.is_alike(answer, MASK, 0)
    assert part in comparisons.remark(answer, MASK, 0)


@pytest.mark.parametrize("answer", [MASK, MASK > 0, MASK.astype(float)])
def test_a_mask_may_be_of_any_type(answer):
    assert comparisons.is_alike(answer, MASK, 0)


@pytest.mark.parametrize(
    ("answer", "expected", "part"),
    [
        (50, 0.5, "percentage"),
        (-0.5, 0.5, "sign"),
        (np.inf, 0.5, "finite"),
        ((0.8, 0.5), (0.5, 0.8), "order"),
        ([50, 80], {"v1": 0.5, "v2": 0.8}, "percentage"),
        ((2, 80), (2, 0.8), "percentage"),
        ((0.5, -0.8), (0.5, 0.8), "sign"),
        ((0.8, 0.1, 0.5), (0.5, 0.8, 0.1), "another order"),
    ],
)
def test_remarks_on_numbers(answer, expected, part):
    assert not comparisons.is_alike(answer, expected, 0.0005)
    assert part in comparisons.remark(answer, expected, 0.0005)


@pytest.mark.parametrize(("answer", "expected"), [(0.063, 0.0625), (0.891, 0.8905)])
def test_a_number_at_the_tolerance_is_right(answer, expected):
    assert comparisons.is_alike(answer, expected, 0.0005)
    assert not comparisons.is_alike(answer + 1e-6, expected, 0.0005)


@pytest.mark.parametrize(
    ("answer", "expected", "is_rounded"),
    [(35, 35.4, True), (35.0, 35.4, True), (3, 3.04, False), (30, 30.4, True), (36, 35.4, False)],
)
def test_a_whole_number_may_be_rounded_too_far(answer, expected, is_rounded):
    assert comparisons.is_rounded_too_far(answer, expected, 0.0005) == is_rounded


def test_numbers_that_name_no_lesson_are_tested_at_once(request):
    here = test_a_whole_number_may_be_rounded_too_far.__name__
    for test in request.session.items:
        if getattr(test, "originalname", None) == here:
            assert test.get_closest_marker("full") is None, test.name


@pytest.mark.parametrize(
    ("answers", "is_rounded"),
    [
        ((0.33, 0.4), True),
        ((0.3, 0.4), False),
        ((0.33, 0.5), False),
        ((0.33, 0), False),
        ((0.3319, 0.4), False),
    ],
)
def test_one_number_of_several_may_have_few_digits(answers, is_rounded):
    expected = (0.3319, 0.3973)
    assert comparisons.is_rounded_too_far(answers, expected, 0.0005) == is_rounded


@pytest.mark.parametrize("answer", [Fraction(1, 3), 10**400, -(10**400)])
def test_a_number_of_any_kind_gets_a_reply(answer):
    assert not comparisons.is_alike(answer, 0.5, 0.0005)
    if comparisons.is_of_kind(answer, 0.5):
        comparisons.remark(answer, 0.5, 0.0005)
        comparisons.is_rounded_too_far(answer, 0.5, 0.0005)
    assert comparisons.describe(answer)


@pytest.mark.parametrize(
    ("answer", "expected", "description"),
    [
        ("0.5", 0.5, "a string"),
        (np.True_, 1, "the truth value True"),
        (True, 1, "the truth value True"),
        ([0.5], (0.5, 0.8), "a list with one element"),
        ([0.5, None], (0.5, 0.8), "a list with 2 elements, among them None"),
        (("2 px", 0.8), (2, 0.8), "a tuple with 2 elements, among them a string"),
        ([MASK, MASK], (0.5, 0.8), "a list of 2 arrays"),
        (["a", "b"], (0.5, 0.8), "a list of 2 strings"),
        ({"v1"}, (0.5, 0.8), "a set of one string"),
        ({"v1": 0.5}, (0.5, 0.8), "a dict with one element"),
        ((), (0.5, 0.8), "an empty tuple"),
        (None, MASK, "None"),
        (MASK.tolist(), MASK, "a list with 3 elements"),
        (MASK.astype(str), MASK, "an array of shape (3, 3)"),
        (np.zeros(3), 0.5, "an array of shape (3,)"),
        (len, 0.5, "a function"),
        (b"", 0.5, "an object of type bytes"),
    ],
)
def test_answers_of_another_kind(answer, expected, description):
    assert not comparisons.is_of_kind(answer, expected)
    assert not comparisons.is_alike(answer, expected, 0)
    assert comparisons.describe(answer) == description


@pytest.mark.parametrize("result", [[0], [0, 2, 4]])
def test_a_list_of_another_length_is_no_other_kind_of_answer(result):
    assert comparisons.is_of_kind(result, [0, 2])
    assert not comparisons.is_alike(result, [0, 2], 0)
    assert "hint 1" in sm.check("20.1", result).sentence
    assert "hint 1" in sm.check("31.2", lambda number, *_: [*result, number + 1]).sentence


def test_a_list_of_another_length_is_told_so_where_the_exercise_gives_the_length():
    assert "a list with 4 elements" in sm.check("01.1", [1, 2, 3, 4]).sentence
    assert "a list with 3 elements" in sm.check("06.1", [1, 2, 3]).sentence


def test_equal_values_in_other_containers():
    assert comparisons.is_alike(np.array([1, 2]), (1, 2), 0)
    assert comparisons.is_alike({"b": 2, "a": 1}, {"a": 1, "b": 2}, 0)
    assert not comparisons.is_alike({"b": 1, "a": 2}, {"a": 1, "b": 2}, 0)
    assert comparisons.is_alike([(1, 2.0)], [(1, 2)], 0)
    assert comparisons.is_alike(" T2", "t2", 0)
    assert comparisons.is_alike(np.float32(0.1), 0.1, 1e-6)
    assert not comparisons.is_alike(None, (), 0)
