"""The demo: sample data for an embedded server, and JupyterLab (or a headless run) on the quickstart notebook."""
