"""Procedural pictures with true attributes: one module a family, each with ``draw`` and ``describe``.

``draw(rng, n, size) -> canvas.Sheet`` paints n pictures from a seeded generator.
``describe(attributes, words) -> str`` says what one of them shows, in varied wording (``words`` is a seeded
`random.Random`), stating only what is true of the picture.
"""
