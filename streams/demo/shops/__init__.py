"""Shops shaped like Shopify and Amazon: they enforce what the vendors document, and tell what they saw."""
