"""The stages and their prose, as data: every number in a sentence is filled in from a trace or a config."""
