"""What several tests need. Nothing is imported from a test module."""
