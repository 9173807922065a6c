"""What a step costs, counted: FLOPs and bytes."""
