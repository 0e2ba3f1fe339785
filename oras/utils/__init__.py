"""Helpers for programs that use a client: files, folders, archives and URLs."""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras.utils.fileio import (
        copyfile,
        extract_targz,
        get_file_hash,
        get_size,
        get_tmpdir,
        get_tmpfile,
        make_targz,
        mkdir_p,
        print_json,
        read_file,
        read_in_chunks,
        read_json,
        readline,
        recursive_find,
        sanitize_path,
        split_path_and_content,
        workdir,
        write_file,
        write_json,
    )
    from oras.utils.request import (
        append_url_params,
        find_docker_config,
        get_docker_client,
        iter_localhosts,
    )

__all__ = [
    "append_url_params",
    "copyfile",
    "extract_targz",
    "find_docker_config",
    "get_docker_client",
    "get_file_hash",
    "get_size",
    "get_tmpdir",
    "get_tmpfile",
    "iter_localhosts",
    "make_targz",
    "mkdir_p",
    "print_json",
    "read_file",
    "read_in_chunks",
    "read_json",
    "readline",
    "recursive_find",
    "sanitize_path",
    "split_path_and_content",
    "workdir",
    "write_file",
    "write_json",
]

_MODULE_OF = {
    "append_url_params": "request",
    "copyfile": "fileio",
    "extract_targz": "fileio",
    "find_docker_config": "request",
    "get_docker_client": "request",
    "get_file_hash": "fileio",
    "get_size": "fileio",
    "get_tmpdir": "fileio",
    "get_tmpfile": "fileio",
    "iter_localhosts": "request",
    "make_targz": "fileio",
    "mkdir_p": "fileio",
    "print_json": "fileio",
    "read_file": "fileio",
    "read_in_chunks": "fileio",
    "read_json": "fileio",
    "readline": "fileio",
    "recursive_find": "fileio",
    "sanitize_path": "fileio",
    "split_path_and_content": "fileio",
    "workdir": "fileio",
    "write_file": "fileio",
    "write_json": "fileio",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
