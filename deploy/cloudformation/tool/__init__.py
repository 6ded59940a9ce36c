"""What `deploy` is made of."""
