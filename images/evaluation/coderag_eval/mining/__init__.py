"""Questions with known answers, found in what a repository already holds: its docstrings and its history."""
