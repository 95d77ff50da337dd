"""``itmo-hub demo``: the whole exchange on one machine, as its users would run it.

Nothing here is simulated. The hub, three Party registries and the mechanism registry's connector
are processes of their own, with keys of their own, that talk HTTP over the loopback; what happens
is asked for with the same commands that an operator types.

``command``        the command: options, the frame around the story, what is printed when it fails.
``chapters``       the story, one function a chapter.
``world``          the files and processes: keys, settings, registration, starting.
``desk``           an operator at one Party registry: its commands and what its local API shows.
``command_line``   runs the commands of ``itmo-hub`` in this process and writes them down.
``processes``      child processes: started, watched, and ended, whatever happens.
``screen``         a live table on a terminal, plain lines elsewhere.
``second_system``  a sender that knows nothing of the connectors: signs an envelope and posts it.
``books``          the registries' books against the central ledger, by serials.
"""
