"""The show and the film: the loop, its clock and its sinks, and the command line, on top of `latentworld`."""
