"""Sources of sessions, their split by time, and the output of preprocess. Imports no other folder of gru4rec."""
