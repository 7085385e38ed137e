"""What holds up in an audit: the decision log, signed checkpoints, their verification, and reports."""
