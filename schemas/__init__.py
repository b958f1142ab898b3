"""What things are: the words of the business as types and wire formats. Imports nothing of ours."""
