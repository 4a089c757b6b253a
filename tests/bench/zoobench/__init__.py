"""What tests/bench/run is made of: rounds that count, what is started for them, figures, and the rows themselves."""
