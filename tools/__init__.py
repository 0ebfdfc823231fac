"""What a maintainer runs; the app itself needs nothing from here."""
