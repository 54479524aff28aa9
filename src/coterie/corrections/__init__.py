"""What a person has said of a clustering, and the clustering that honours it; no torch, no server."""
