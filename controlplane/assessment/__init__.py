"""What is true of each server, how large it must be, whether it is ready to move, on whom it depends, what becomes of it."""
