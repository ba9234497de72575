"""The experiments page: the write-up of a data set's study, one HTML page made from the runs that exist."""
