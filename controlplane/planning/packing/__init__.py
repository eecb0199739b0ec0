"""Vector packing as such: problems, packings, bounds, and one `solve` that says what it found and what is proved.

>>> import numpy as np
>>> problem, _ = problem_of_items(np.array([[6], [4], [5], [5]]), np.array([[10]]))
>>> packing = solve(problem, work=Work(budget=1))
>>> packing.bins_used, packing.lower_bound
(2, 2)
"""

from controlplane.planning.packing.problem import MalformedProblemError, Packing, Problem, Work, problem_of_items
from controlplane.planning.packing.solve import solve

__all__ = ["MalformedProblemError", "Packing", "Problem", "Work", "problem_of_items", "solve"]
