"""`make bench`."""

from benchmarks.media import main

main()
