"""The app as a job on a terminal: two processes, the driver, what is sent."""
