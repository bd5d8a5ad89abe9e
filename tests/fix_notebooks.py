"""Runs a notebook as ``tusk-jupyter demo --run`` does: nbclient, this interpreter's kernel, the embedded sample data."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session")
def notebook_runner(tmp_path_factory):
    import nbformat
    from nbclient.client import NotebookClient

    from tusk_jupyter.connections import embedded
    from tusk_jupyter.demo import flights, lab

    root = tmp_path_factory.mktemp("notebooks")
    server = embedded.start("flights", root / "embedded")
    flights.load(**_kwargs(server))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    environment |= {"TUSK_DATA_DIR": str(root), "IPYTHONDIR": str(root / "ipython"), "MPLCONFIGDIR": str(root / "mpl")}

    def run(path):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook, timeout=120, kernel_manager_class=lab.own_kernel(), resources={"metadata": {"path": str(root)}}
        )
        client.execute(env=environment)
        return notebook

    yield run
    embedded.drop("flights", root / "embedded")


def _kwargs(server):
    return {"host": server.host, "port": server.port, "dbname": server.dbname, "user": server.user,
            "password": server.password}
