"""Sample domains: what a team's folder looks like. `mesh demo` publishes them and plays the story with them."""
