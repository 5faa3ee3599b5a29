"""Work handed out to the workers of a Ray cluster: each job done once, whoever dies on the way."""
