"""What a job's process does, one module a kind: each has `run(desk)`."""
