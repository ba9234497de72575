"""``python -m feature_repo.init NAME --input PATH``: guesses what a user's files hold, and writes the mapping of them.

    reading/   which files there are, how they are written, a sample of their rows
    profile/   what one column looks like: type, nulls, range, times, lists
    guess/     what the files and columns mean, each decision with its reason
    writing/   params/NAME.yaml, its dataset.json, and the printed page

Nothing of the files is executed, and nothing is read from a network.
"""
