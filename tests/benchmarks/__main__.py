"""`make bench`."""

from benchmarks import catalogue, engine, media, pictures

media.main()
pictures.main()
engine.main()
catalogue.main()
