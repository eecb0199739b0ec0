"""Converges to the accepted plan: apply, migrate, reconcile, configure. Decides nothing that the plan says."""
