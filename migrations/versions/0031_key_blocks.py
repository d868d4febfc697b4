"""Blocks of copy keys.

The rows of `lsh_band` stay: they are packed while articles are placed, a stretch of the keys with each batch.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_BLOCKS_AT_ONCE = 250  # 50,000 keys


def upgrade() -> None:
    op.create_table(
        "lsh_block",
        sa.Column(
            "first_band",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_band", name="pk_lsh_block"),
    )


def downgrade() -> None:
    connection = op.get_bind()
    blocks = sa.table("lsh_block", sa.column("first_band"), sa.column("entries"))
    rows = sa.table("lsh_band", sa.column("band", sa.BigInteger), sa.column("article", sa.BigInteger))
    names = sa.table("counter", sa.column("name"), sa.column("value"))
    # What retention has removed is only ignored in a block.
    chosen = sa.select(names.c.value).where(names.c.name == "unlinked_to")
    unlinked = connection.execute(chosen).scalar() or 0
    ordered = sa.select(blocks).order_by(blocks.c.first_band).limit(_BLOCKS_AT_ONCE)
    found = connection.execute(ordered).all()
    while found:
        pairs = [pair for one in found for pair in _pairs(one.entries) if pair[1] > unlinked]
        if pairs:
            connection.execute(rows.insert(), [{"band": band, "article": n} for band, n in pairs])
        found = connection.execute(ordered.where(blocks.c.first_band > found[-1].first_band)).all()
    op.drop_table("lsh_block")
    connection.execute(names.delete().where(names.c.name == "keys_packed_to"))


def _pairs(entries: bytes) -> Iterator[tuple[int, int]]:
    """Yield band and inbox number of a block (aggregator/store/stories/copy_keys.py)."""
    wide, narrow = entries[:2]
    first = int.from_bytes(entries[2:10], "little", signed=True)
    for at in range(10, len(entries), wide + narrow):
        end = at + wide + narrow
        offset = int.from_bytes(entries[at : at + wide], "little")
        yield first + offset, int.from_bytes(entries[at + wide : end], "little")
