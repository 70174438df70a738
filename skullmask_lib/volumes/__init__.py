"""Whole volumes: scans on disk, preparation, nidataset's brain mask, and the brain by `strip`.

Functions of single slices belong in the modules directly in `skullmask_lib`.
"""
