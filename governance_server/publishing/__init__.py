"""The publication protocol of design §4: begin, verify, intend, write, make visible; and the recovery from a crash at any step."""
