"""Yochi's benchmarks: the scores that training and export use (numpy only), and what a device measures."""
