"""The excerpt limit: output contains at most a number of words, and characters, of any one article.

`for_reader` limits a story; the encoders of JSON, feeds and pages write all that they receive and check no
rights. The title of an article counts. Each of its sentences counts once, wherever the output contains it. A
sentence that exceeds the limit is omitted as a whole; only leads and summaries are cut. With `nosnippet` only
the title is left; with `noarchive` or a reservation against text mining an excerpt, whatever
`publish.full_text` is.

The same rules apply to single articles, search hits, explanations and sources.
"""
