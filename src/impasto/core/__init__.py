"""Networks and losses: torch only, no paths, no prints, no downloads."""
