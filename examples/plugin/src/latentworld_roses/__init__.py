"""A walk, an output and a command for latentworld."""
