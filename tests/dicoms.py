"""DICOM series for the tests."""

from pathlib import Path

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

import skullmask_lib as sm

SERIES = generate_uid(entropy_srcs=["series"])
AXIAL = ((1, 0, 0), (0, 1, 0))


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


def write_series(folder, volume, *, order=None, suffix="", each=lambda _: {}, **options):
    """Write slices (N, H, W) as files that are named and numbered in another order than they lie in."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(1).permutation(len(volume)) if order is None else order
    files = []
    for index, name in enumerate(order):
        data = header(
            volume[index], index=index, **(options | {"InstanceNumber": int(name)} | each(index))
        )
        files.append(folder / f"IM{name:04d}{suffix}")
        data.save_as(files[-1], enforce_file_format=True)
    return files


def enhanced(
    volume, *, order=None, axes=AXIAL, gap_mm=4.0, spacing_mm=(2.0, 1.5), slopes=None, **tags
):
    """Make one data set of all slices (N, H, W), whose frames lie in another order than they come in."""
    order = np.random.default_rng(2).permutation(len(volume)) if order is None else order
    frames = []
    for index in order:
        place = Dataset()
        place.ImagePositionPatient = numbers(
            np.add((-80.0, -100.0, -20.0), index * gap_mm * np.cross(*axes))
        )
        frame = Dataset()
        frame.PlanePositionSequence = [place]
        if slopes is not None:
            scaling = Dataset()
            scaling.RescaleSlope, scaling.RescaleIntercept = numbers(slopes[index])
            frame.PixelValueTransformationSequence = [scaling]
        frames.append(frame)
    orientation, measures, shared = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = numbers(axes)
    measures.PixelSpacing = numbers(spacing_mm)
    measures.SliceThickness = "1"
    shared.PlaneOrientationSequence = [orientation]
    shared.PixelMeasuresSequence = [measures]
    beside = ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness")
    tags = {
        "SOPClassUID": EnhancedMRImageStorage,
        "NumberOfFrames": len(volume),
        "PixelData": volume[order].astype("<i2").tobytes(),
        "PerFrameFunctionalGroupsSequence": frames,
        "SharedFunctionalGroupsSequence": [shared],
    } | tags
    return header(volume[0], **(dict.fromkeys(beside) | tags))
