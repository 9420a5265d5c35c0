"""Public suites of safety and oversafety, read from a folder that the user has. Nothing is downloaded."""
