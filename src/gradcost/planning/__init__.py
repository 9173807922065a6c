"""What a step would cost, without a GPU and without weights."""
