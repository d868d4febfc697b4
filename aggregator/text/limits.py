"""The section `text` of the rule book."""

import msgspec


class TextRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Constants of this room; units and origins stand in rules.yaml."""

    max_text_chars: int
    max_title_chars: int
    max_html_chars: int
    max_elements: int
    max_attributes: int
    max_metadata_chars: int
    head_lines: int
    stub_words: int
    live_entries: int
    language_min_chars: int
    lead_words: int
