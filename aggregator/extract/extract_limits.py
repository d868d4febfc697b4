"""Section `text` of config/tuning.yaml."""

from aggregator.model.structs import FrozenStruct


class ExtractTuning(FrozenStruct, forbid_unknown_fields=True):
    """Constants of extraction; config/tuning.yaml gives units and origins."""

    max_text_chars: int
    max_title_chars: int
    end_lines: int
    title_words: int
    wire_paragraphs: int
    stub_words: int
    nearly_empty_words: int
    most_share: float
    headline_words: int
    paywall_max_words: int
    notice_max_words: int
    notice_share: float
    list_cards: int
    card_lines: int
    live_entries: int
    language_min_chars: int
    language_sample_chars: int
    language_feed_entries: int
    lead_words: int
    episode_audio_bytes: int
