"""DICOM series for the tests."""

from pathlib import Path

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

import skullmask_lib as sm
from skullmask_lib.io import dicom

SERIES = generate_uid(entropy_srcs=["series"])
AXIAL = ((1, 0, 0), (0, 1, 0))
# What reads a series
COMMANDS = (
    ("mask", "series", "-o", "a.nii.gz"),
    ("strip", "series", "out"),
    ("brain-mask", "series", "out"),
)


def oblique(*degrees):
    """Give the axes of a slice that was turned around x, y and z."""
    turned = np.eye(3)
    for axis, turn in enumerate(np.deg2rad(degrees)):
        one, other = np.delete(range(3), axis)
        rotation = np.eye(3)
        rotation[one, one] = rotation[other, other] = np.cos(turn)
        rotation[one, other] = -np.sin(turn)
        rotation[other, one] = np.sin(turn)
        turned = rotation @ turned
    return turned[:, :2].T


# The directions of rows and columns
ORIENTATIONS = {
    "axial": AXIAL,
    "head first, face down": ((-1, 0, 0), (0, -1, 0)),
    "from above": ((-1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique": oblique(12, -7, 4),
    "doubly oblique": oblique(40, 35, 80),
}


def phantom(step=16):
    """Give the phantom's five slices as (N, H, W) of int16, coarsely."""
    return (sm.load("phantom").images[:, ::step, ::step] / 3.5e-5 * 1000).astype(np.int16)


def numbers(values):
    return [format_number_as_ds(float(value)) for value in np.ravel(values)]


def header(
    frame,
    *,
    axes=AXIAL,
    origin_mm=(-80.0, -100.0, -20.0),
    spacing_mm=(2.0, 1.5),
    gap_mm=4.0,
    index=0,
    **tags,
):
    """Make the data set of one slice; a tag that is None is left out."""
    tags = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": SERIES,
        "Modality": "MR",
        "Rows": frame.shape[0],
        "Columns": frame.shape[1],
        "PixelSpacing": numbers(spacing_mm),
        "ImageOrientationPatient": numbers(axes),
        "ImagePositionPatient": numbers(np.add(origin_mm, index * gap_mm * np.cross(*axes))),
        "SliceThickness": "1",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 1,
        "PixelData": frame.astype("<i2").tobytes(),
    } | tags
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = tags["SOPClassUID"]
    data.file_meta.MediaStorageSOPInstanceUID = tags["SOPInstanceUID"]
    for name, value in tags.items():
        if isinstance(value, DataElement):
            data.add(value)
        elif value is not None:
            setattr(data, name, value)
    return data


def save(path, data):
    """Write a data set as a file of DICOM."""
    data.save_as(path, enforce_file_format=True)


def slices_of(folder):
    """Read the series of a folder as slices (N, H, W), as they were written."""
    return np.asarray(dicom.read_series(folder).dataobj).T


def only(index, **tags):
    """Give tags to the slice of this index alone."""
    return lambda other: tags if other == index else {}


def write_series(folder, volume, *, order=None, suffix="", tags_of=lambda _: {}, **options):
    """Write slices (N, H, W) as files whose names and numbers are in another order than the slices."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if order is None:
        order = np.random.default_rng(1).permutation(len(volume))
    files = []
    for index, name in enumerate(order):
        tags = options | {"InstanceNumber": int(name)} | tags_of(index)
        file = folder / f"IM{name:04d}{suffix}"
        save(file, header(volume[index], index=index, **tags))
        files.append(file)
    return files


def enhanced(
    volume, *, order=None, axes=AXIAL, gap_mm=4.0, spacing_mm=(2.0, 1.5), slopes=None, **tags
):
    """Make one data set of slices (N, H, W), whose frames come in another order than they lie in."""
    if order is None:
        order = np.random.default_rng(2).permutation(len(volume))
    frames = []
    for index in order:
        position_mm = np.add((-80.0, -100.0, -20.0), index * gap_mm * np.cross(*axes))
        place = Dataset()
        place.ImagePositionPatient = numbers(position_mm)
        frame = Dataset()
        frame.PlanePositionSequence = [place]
        if slopes is not None:
            scaling = Dataset()
            scaling.RescaleSlope, scaling.RescaleIntercept = numbers(slopes[index])
            frame.PixelValueTransformationSequence = [scaling]
        frames.append(frame)
    orientation = Dataset()
    orientation.ImageOrientationPatient = numbers(axes)
    measures = Dataset()
    measures.PixelSpacing = numbers(spacing_mm)
    measures.SliceThickness = "1"
    shared = Dataset()
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    elsewhere = (
        "PixelSpacing",
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "SliceThickness",
    )
    tags = {
        "SOPClassUID": EnhancedMRImageStorage,
        "NumberOfFrames": len(volume),
        "PixelData": volume[order].astype("<i2").tobytes(),
        "PerFrameFunctionalGroupsSequence": frames,
        "SharedFunctionalGroupsSequence": [shared],
    } | tags
    return header(volume[0], **(dict.fromkeys(elsewhere) | tags))
