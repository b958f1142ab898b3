"""The faults suite: a whole Kassa on real Apache Kafka under load, everything failing at random, and then a verdict.

python -m tests.chaos --seconds 180 --seed 7
"""
