"""What is behind each of the page's tabs."""
