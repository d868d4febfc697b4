"""Values that packages pass to each other, and the errors with their words for the user.

Frozen structs without behaviour of their own. Imports no other package.
"""
