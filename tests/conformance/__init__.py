"""The suites every channel sink passes, and one module for each sink that passes them."""
