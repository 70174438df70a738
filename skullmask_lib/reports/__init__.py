"""Notebooks run on a user's slices: one report, a grid of them, or the demo.

The only importer of papermill and nbconvert. Masks and scores are computed elsewhere. What a report
shows, such as the columns of its tables, is decided in ``notebooks/report.ipynb``.
"""
