"""Slices in, masks out: every format that is read or written, and where files lie.

- Code outside this folder reads and writes slices through `datasets`. `Data` is defined in `data`.
- Slices: `sources` says what a source is, `reading` reads it, `loading` adds the truth, with
  `pairing` by name. The formats are in `arrays`, `pictures`, `nifti` with `planes`, and `dicom`.
- Masks: `writing` writes them beside their images; `outputs` makes every file appear whole.
- Published data: `registry` has the heads, `cohorts` the data sets of the articles.
- Also: `paths`, `missing` values, the `journal` of long work, and `unpacking` of Zarr.
"""
