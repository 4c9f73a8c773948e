"""`make bench`."""

from benchmarks import catalogue, engine, media

media.main()
engine.main()
catalogue.main()
