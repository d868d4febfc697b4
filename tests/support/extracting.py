"""The constants by which texts are extracted, as shipped."""

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning

TUNING = Tuning().section("text", ExtractTuning)
