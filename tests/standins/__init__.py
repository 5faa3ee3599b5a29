"""What stands in for the parts of a show, a film and a world in tests; each keeps the contract of what it stands for.

::

    clock       seconds that pass when they are told to
    messages    what a renderer says: a tick
    backstage   a show as its ports see it: a real desk, a status, no process
    osc, deck   those ports on such a backstage, without a socket or with one
    film        decoder, eye and pilot of a few lines, and the loop over them
    takes       performances: what a renderer says while it walks, and a recorder that hears it
    stage       a stage in a process of its own, and a display that is none
    show        the show's child processes
    tiny_world, decoders, studio     a world of random weights in the diffusers layout, loaded, opened
    surveys, stores, drawn           atlases: of any function of the place, on disk, ready to be drawn
"""
