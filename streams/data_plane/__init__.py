"""The batch data plane: one fetched partition batch is one Faust event; effects first, offsets last."""
