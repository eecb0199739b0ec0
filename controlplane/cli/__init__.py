"""One file per verb: parses, calls one stage, prints its document; decides nothing."""
