"""Looking at one trial: episodes, videos and traces."""
