"""`make bench`."""

from benchmarks import catalogue, engine, media, panel, pictures, start

for part in (media, pictures, start, panel, catalogue, engine):
    part.main()
