"""The excerpt limit: the most words, and characters, that output may contain of one article.

`for_reader` limits a story; the encoders of JSON, feeds and pages write everything that they receive and check no
rights. The title of an article counts. Each sentence of an article counts once, wherever the output contains it.
Openings, quotations and sentences of versions that exceed the limit are omitted as a whole; titles, leads and summaries
are cut. An article with `nosnippet` shows only its title. An article with `noarchive` or a reservation against text
mining shows strangers an excerpt, even if `publish.full_text` is "all".

`single_articles.py` limits single articles, search hits, explanations and sources.
"""
