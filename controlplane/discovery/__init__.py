"""What really runs on a server, asked over ssh without leaving anything there; utilisation also from Prometheus.

A table of probes (a command and a pure parse function each) is sent as one script over one connection; what comes back becomes
`Facts`. Whatever a host does (silence, refusal, garbage, lies) is a result, never an exception. Decides nothing about servers.
"""
