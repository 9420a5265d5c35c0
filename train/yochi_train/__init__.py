"""Yochi's trainer: records, the nano model, supervised fine-tuning, evaluation."""
