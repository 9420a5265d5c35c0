"""A teacher takes pairs without truth apart: by picture, by note, and by what only both together make."""
