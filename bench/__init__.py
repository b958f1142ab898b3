"""What Kassa does in a second on this machine: `make bench`. Machines are noisy: compare ratios within one run."""
