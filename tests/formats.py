"""Heads in files of every format, for the tests of reading and writing."""

import nibabel as nib
import numpy as np
from inputs import blobs, head
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.errors import InputError

RAS_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
FLIPPED = "LPI"
SPACING_MM = (1.5, 0.75, 2.0)
HEADS = np.stack([head(at=(k - 6, k - 5)) for k in range(12)]).astype(np.uint8)
TRUTH = (HEADS > 0) * np.uint8(255)


def stored(canonical, codes):
    """Lay a RAS volume out as a file of this orientation has it."""
    array = canonical.transpose([RAS_AXIS[code] for code in codes])
    flipped_axes = [axis for axis, code in enumerate(codes) if code in FLIPPED]
    return np.flip(array, flipped_axes)


def affine_of(codes, shape, degrees=0.0):
    """Give the affine of such a file, tilted around the first axis by some degrees."""
    affine = np.eye(4)
    affine[:3, 3] = (-50.0, 20.0, 7.0)
    for axis, code in enumerate(codes):
        world = RAS_AXIS[code]
        affine[:3, axis] = 0
        if code in FLIPPED:
            affine[world, axis] = -SPACING_MM[world]
            affine[world, 3] += SPACING_MM[world] * (shape[world] - 1)
        else:
            affine[world, axis] = SPACING_MM[world]
    tilt = np.eye(4)
    turn = np.deg2rad(degrees)
    tilt[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return tilt @ affine


def save_volume(path, canonical, codes="RAS", degrees=0.0):
    """Write a RAS volume as NIfTI of an orientation."""
    affine = affine_of(codes, canonical.shape, degrees)
    nib.save(nib.Nifti1Image(stored(canonical, codes), affine), path)


def volume():
    """Give a RAS volume (X, Y, Z) of int16 whose axial slices, anterior up, are all different."""
    shape = (44, 36)
    slices = []
    for k in range(5):
        axial = head(shape, at=(k - 2, k)) + 5.0 * k + blobs(k, shape=shape)
        slices.append(axial.round().astype(np.int16))
    return from_axial_slices(slices)


def axial_slices(canonical):
    """Cut a RAS volume into axial slices, anterior up."""
    return np.stack([canonical[:, ::-1, k].T for k in range(canonical.shape[2])])


def from_axial_slices(slices):
    return np.stack([axial[::-1].T for axial in slices], axis=2)


def save_numbered(folder, images, name="{}.png"):
    """Write images as pictures named by their numbers from 1, which text would order otherwise."""
    folder.mkdir()
    for number, image in enumerate(images, 1):
        Image.fromarray(image).save(folder / name.format(number))


def complaint(path):
    """Give the one line in which a file is refused, or nothing if it can be read."""
    try:
        sm.load(path)
    except InputError as error:
        return str(error)
    return ""
