"""Reports of an invented event, for tests of the decision about events."""

GRAIN = (
    (
        "Grain slide closes harbour of Port Ellory",
        "The harbour of Port Ellory was closed on Friday after 1,250 tonnes of grain slid into the basin, "
        "Mayor Ines Calloway said. Two cranes were lost and divers of the Northern Salvage Company searched "
        "the basin until night.",
    ),
    (
        "Port Ellory harbour shut after 1,250 tonnes of grain slip into basin",
        "Divers of the Northern Salvage Company searched the basin of Port Ellory harbour on Friday after a "
        "slide of 1,250 tonnes of grain took two cranes down, according to the mayor, Ines Calloway, who "
        "closed the port.",
    ),
    (
        "Mayor closes Port Ellory after grain slide sinks two cranes",
        "Ines Calloway, mayor of Port Ellory, closed the harbour on Friday. A grain slide of 1,250 tonnes "
        "had pulled two cranes into the basin, where divers from the Northern Salvage Company were still "
        "searching.",
    ),
)
