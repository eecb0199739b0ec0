"""What runs inside the services' own Python: never imported by the control plane or by the rest of the lab."""
