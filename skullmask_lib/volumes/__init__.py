"""Whole volumes: preparation, the brain mask of nidataset's recipe, and the brain inside the skull."""
