"""Random volumes: the same by seed, with the brain where the image has it, from a bank kept whole."""

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from scipy import ndimage

from skullmask_lib import phantom
from skullmask_lib.deep import brains, random_brains, randomise
from skullmask_lib.errors import InputError


@pytest.fixture(scope="module")
def labels():
    """Draw an egg of brain in bone in fat."""
    places = np.indices(random_brains.SHAPE, np.float32)
    middle = np.reshape(random_brains.SHAPE, (3, 1, 1, 1)) / 2
    distance = np.linalg.norm((places - middle) / [[[[36]]], [[[45]]], [[[40]]]], axis=0)
    tissues = ["grey_matter", "outer_table", "fat"]
    inside = [distance < 0.84, distance < 0.92, distance < 1]
    return np.select(inside, [phantom.LABELS[name] for name in tissues]).astype(np.uint8)


def test_a_seed_gives_the_same_volume_and_another_seed_another(labels):
    image, share = random_brains.random_volume(labels, 3)
    again, same_share = random_brains.random_volume(labels, 3)
    other, other_share = random_brains.random_volume(labels, 4)
    assert np.array_equal(image, again)
    assert np.array_equal(share, same_share)
    assert not np.array_equal(share, other_share)
    assert abs(np.corrcoef(image.ravel(), other.ravel())[0, 1]) < 0.99


def test_the_brain_is_where_the_image_shows_it(labels):
    sizes_ml = []
    brighter = []
    for seed in range(6):
        image, share = random_brains.random_volume(labels, seed)
        assert image.dtype == share.dtype == np.float32
        assert np.isfinite(image).all()
        assert (share.min(), share.max()) == (0, 1)
        sizes_ml.append(share.sum() * brains.STEP_MM**3 / 1000)
        around = (share == 0) & (ndimage.maximum_filter(share, 5) > 0)
        brighter.append(image[share == 1].mean() > image[around].mean())
    whole_ml = random_brains.intracranial(labels).sum() * random_brains.STEP_MM**3 / 1000
    assert sum(brighter) >= 4  # than bone, but for contrasts that no sequence has
    assert max(sizes_ml) < 1.4 * whole_ml
    assert min(sizes_ml) > 0.4 * whole_ml  # the scan may end above its lower part
    assert len(set(sizes_ml)) == 6


def test_where_the_scan_ends_there_is_neither_image_nor_brain(labels):
    for seed in range(8):
        image, share = random_brains.random_volume(labels, seed)
        beyond = image == image.min()
        assert not share[beyond].any()


def test_a_bank_is_rendered_once_and_refused_where_it_is_damaged(tmp_path, labels, monkeypatch):
    seeds = []

    def render(seed):
        seeds.append(seed)
        return labels

    monkeypatch.setattr(random_brains, "random_labels", render)
    first = random_brains.bank(2, tmp_path, seed=7)
    assert np.array_equal(random_brains.bank(2, tmp_path, seed=7), first)
    assert seeds == [7, 8]
    [file] = tmp_path.iterdir()
    np.savez(file, labels=labels)
    with refused(file.name):
        random_brains.bank(2, tmp_path, seed=7)


def test_batches_are_of_many_heads(labels):
    bank = np.stack([labels, np.zeros_like(labels)])
    bank[1, 40:60, 50:80, 40:70] = phantom.LABELS["csf"]
    batch = random_brains.random_batch(bank, 3, seed=1)
    assert batch.images.shape == batch.masks.shape == (3, 1, *brains.SHAPE)
    sizes = batch.masks.sum(axis=(1, 2, 3, 4))
    assert sizes.max() > 3 * sizes.min()


def test_participants_who_are_there_are_not_drawn_again(tmp_path):
    random_brains.write_nfbs(tmp_path, 1, step_mm=16)
    [scan] = brains.scans_in(f"nfbs:{tmp_path}")
    before = scan.image.read_bytes(), scan.image.stat().st_mtime_ns
    random_brains.write_nfbs(tmp_path, 2, step_mm=16)
    assert (scan.image.read_bytes(), scan.image.stat().st_mtime_ns) == before
    volume, _, truth = brains.read_scan(scan)
    assert set(np.unique(truth)) == {0, 1}
    assert volume[truth == 1].mean() > volume[truth == 0].mean()


def test_participants_drawn_with_other_settings_are_refused(tmp_path, monkeypatch):
    random_brains.write_nfbs(tmp_path, 1, seed=1, step_mm=16)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    with refused("A00000001"):
        random_brains.write_nfbs(tmp_path, 2, step_mm=24)
    monkeypatch.setattr(randomise, "CSF_MM", (1.0, 2.0))
    with refused("A00000001"):
        random_brains.write_nfbs(tmp_path, 2, step_mm=16)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("lacks_files", [False, True])
def test_a_folder_keeps_the_scans_of_others_and_one_size_of_voxels(tmp_path, lacks_files):
    random_brains.write_nfbs(tmp_path, 1, seed=1, step_mm=16)
    scan, *rest = sorted((tmp_path / "A00000001").iterdir())
    if lacks_files:
        for file in rest:
            file.unlink()
    before = scan.read_bytes()
    for seed in (1, 2):
        with refused("A00000001"):
            random_brains.write_nfbs(tmp_path, 1, seed=seed, step_mm=24)
    assert scan.read_bytes() == before
    assert not (tmp_path / "A00000002").exists()
    nib.save(nib.Nifti1Image(np.ones((5, 5, 5), np.uint8), np.eye(4)), scan)
    foreign = scan.read_bytes()
    with refused("A00000001"):
        random_brains.write_nfbs(tmp_path, 1, seed=1, step_mm=16)
    assert scan.read_bytes() == foreign


@pytest.mark.parametrize(
    "numbers",
    [
        {"count": 0},
        {"count": "3"},
        {"seed": -1},
        {"step_mm": 0},
        {"step_mm": "4"},
        {"step_mm": None},
    ],
)
def test_numbers_that_draw_no_participant_are_refused(tmp_path, numbers):
    with pytest.raises(InputError):
        random_brains.write_nfbs(tmp_path, **{"count": 1, "step_mm": 24, **numbers})
    assert not list(tmp_path.iterdir())
