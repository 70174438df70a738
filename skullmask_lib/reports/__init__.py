"""Notebooks run on a user's slices: one report, a grid of them, or the demo.

The only importer of papermill and nbconvert. Masks and scores are computed elsewhere; the
notebook of a report decides what is drawn and measured.
"""
