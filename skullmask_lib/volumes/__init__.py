"""Whole volumes: scans on disk, preparation, nidataset's brain mask, and the brain by `strip`.

Functions of single slices belong on the ground floor; nothing here knows the command line.
"""
