"""Yochi's runtime: what stands on the box. No torch, no network."""
