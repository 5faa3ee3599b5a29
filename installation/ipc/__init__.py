"""What the processes of a show say to each other: pipes, shared memory, typed messages, how a child begins and ends."""
