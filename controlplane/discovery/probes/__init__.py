"""The probes, one file for each topic; `table.py` lists them in the order in which a server is asked."""
