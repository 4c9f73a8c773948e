"""`make bench`."""

from benchmarks import arriving, catalogue, engine, media, panel, pictures, start

for part in (media, arriving, pictures, start, panel, catalogue, engine):
    part.main()
