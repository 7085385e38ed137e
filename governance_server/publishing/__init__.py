"""The publication protocol of design §4: begin, verify, intend, write, make visible; and recovery from a crash anywhere."""
