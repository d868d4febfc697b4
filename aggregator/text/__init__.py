"""The parts of a text: sentences, tokens, stems, numbers, names, clock times, language, vocabulary.

Pure: no clock, network or database. Imports `config` and `model`.
"""
