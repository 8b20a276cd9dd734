"""What is shown of a run, computed in one place: command line, app and reports only draw it."""
