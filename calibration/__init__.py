"""Evidence: sources, reconstruction, fit and validation of the model."""
