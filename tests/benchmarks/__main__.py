"""`make bench`."""

from benchmarks import catalogue, engine, media, pictures, start

media.main()
pictures.main()
start.main()
engine.main()
catalogue.main()
