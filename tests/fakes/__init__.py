"""Servers that behave as a vendor documents, enforce its limits, and can be told to fail."""
