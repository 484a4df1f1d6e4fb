"""Remembers: rows of facts and publications, and how they merge on recovery."""
