"""The pure core: `decide` what a command leads to, `evolve` the state by it. No I/O, no clock, no random, no float."""
