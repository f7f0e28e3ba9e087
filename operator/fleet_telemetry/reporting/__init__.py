"""What the operator says of itself and of the fleet."""
