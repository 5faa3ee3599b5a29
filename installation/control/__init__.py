"""Everything that can be played: parameters, the desk that holds their values, what the loop reads of them."""
