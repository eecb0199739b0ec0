"""What the controller remembers: accepted plans, observations, runs, migrations, evidence."""
