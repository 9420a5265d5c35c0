"""The line of progress that every long command shows; it is the benchmarks' too."""

from yochi_bench.progress import Progress as Progress
