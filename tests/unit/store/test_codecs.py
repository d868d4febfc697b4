"""How values are stored."""

from aggregator.model.evidence import CopyEvidence, Evidence
from aggregator.store import codecs


def test_stored_evidence_stays_readable() -> None:
    """The bytes as they were written once: a change of the dictionary would make all evidence unreadable."""
    stored = bytes.fromhex(
        "28b52ffd2065ed010014028284303132333435363738396162636465663fe8003feccccd3fe6666666666666090025c4"
        "0a9c351dc401dc355410670b883c540be5154036ac2b"
    )
    copy = CopyEvidence(
        kind="copy",
        other="0123456789abcdef",
        resemblance=0.75,
        containment=0.9,
        estimate=0.7,
    )
    assert codecs.unpack(stored, Evidence) == Evidence(stage="copy", copy=copy)
