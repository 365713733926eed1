"""Figures from Prometheus: a query for each figure and version, asked for every span that has ended.

file (`sourcefile`) -> query (`template`) -> answer (`client`, `answer`) -> reading (`asking`, `counters`, `buckets`) ->
samples (`composing`) -> store (`poller`), on a thread of its own (`runner`). What can't be had has a type (`states`).
"""
