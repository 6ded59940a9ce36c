"""What verify, run-local and their tests share. Python's standard library only."""
