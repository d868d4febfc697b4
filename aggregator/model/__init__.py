"""Values that packages pass to each other, and the errors with their words for the user.

Most values are frozen structs. This package imports no other package.
"""
