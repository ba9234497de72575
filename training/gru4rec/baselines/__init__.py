"""What GRU4Rec has to beat: each is fitted on the train sessions and scores like any next-item model."""
