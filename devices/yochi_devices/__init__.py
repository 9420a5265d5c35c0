"""Yochi's devices: cameras and pictures. Knows nothing of models, notes or verdicts."""
