"""`yochi serve`: the judge behind HTTP on the box, for one camera and for whoever sends pictures."""
