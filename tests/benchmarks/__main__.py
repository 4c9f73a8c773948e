"""`make bench`."""

from benchmarks import engine, media

media.main()
engine.main()
