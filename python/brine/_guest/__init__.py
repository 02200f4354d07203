"""What runs in a guest: a confined process that speaks with its host over a socket.

Nothing here imports anything of brine but what is in this directory, so that a guest starts at once, and has nothing to
reach.
"""
