"""Do findings hold here: ablations over paired seeds, how sure their differences are, and the page of all of them."""
