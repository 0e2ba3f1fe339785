"""Helpers for programs that use a client: files, folders, archives and URLs."""

from __future__ import annotations

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
