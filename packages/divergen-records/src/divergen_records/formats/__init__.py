"""What data sets are read from and written as."""
