"""Making named tuples quickly, for the few that are made for every event.

``new(Kind, (a, b, c))`` is ``Kind(a, b, c)`` without the call in between, at a quarter of its cost. It knows no
defaults and no names: all fields, in their order.
"""

new = tuple.__new__
