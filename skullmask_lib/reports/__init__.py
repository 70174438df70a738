"""Notebooks run on a user's slices: one report, a grid of them, or the demo.

The only importer of papermill and nbconvert. Masks and scores are computed elsewhere; what is
drawn or measured in a report stands in its notebook.
"""
