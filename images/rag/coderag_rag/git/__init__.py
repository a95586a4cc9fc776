"""Reading remote Git repositories through the git program."""
