"""A queue of jobs, each a process of its own: what a list or a matrix names, made one after the other in one folder.

jobs, listing, matrix    what is to be made
states, ledger           how far each is, in a file that survives whatever ends the queue
process, queue           one at a time, tried again, gone on with
"""
