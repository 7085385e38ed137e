"""The migrations, in order of their number; a released one is never edited."""
