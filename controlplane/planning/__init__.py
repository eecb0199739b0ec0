"""All choices: placement, checks, the plan and its difference. Pure and deterministic: same inputs, same bytes."""
