"""The section `text` of the rule book."""

import msgspec


class ExtractTuning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Constants of this room; units and origins stand in config/tuning.yaml."""

    max_text_chars: int
    max_title_chars: int
    max_html_chars: int
    max_elements: int
    max_attributes: int
    max_metadata_chars: int
    media_kept: int
    media_url_chars: int
    head_lines: int
    title_words: int
    kicker_words: int
    slogan_words: int
    slogan_share: float
    headline_share: float
    slogan_body_lines: int
    prose_words: int
    closing_lines: int
    wire_paragraphs: int
    unlisted_agency: float
    wire_line: float
    wire_habit: float
    wire_shared: float
    stub_words: int
    enough_words: int
    hardly_any_words: int
    clearly_more: float
    box_share: float
    box_missing_share: float
    teaser_words: int
    aside_largest: float
    article_share: float
    repeated_words: int
    opening_chars: int
    wall_words: int
    short_wall_words: int
    block_words: int
    list_link_share: float
    list_link_words: int
    consent_words: int
    consent_share: float
    notice_share: float
    list_words: int
    list_cards: int
    list_cards_named: int
    list_card_share: float
    list_name_words: int
    card_words: int
    card_lines: int
    live_entries: int
    midnight_step_minutes: int
    live_swap_minutes: int
    live_day_margin_minutes: int
    live_around_share: float
    live_entry_words: int
    live_entries_kept: int
    language_min_chars: int
    language_sample_chars: int
    lead_words: int
