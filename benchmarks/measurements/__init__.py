"""What is measured: one module each, ``plan(place, quick=…)`` returns its cases and aims."""
