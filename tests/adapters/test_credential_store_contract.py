from __future__ import annotations

import pytest

from oras_adapters.docker_config import DockerConfigStore
from oras_core.credentials import ChainedCredentialStore, NoCredentials, StaticCredentials
from oras_core.testing.credentials import CredentialStoreContract


class TestStaticCredentials(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return StaticCredentials({})


class TestChainedCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return ChainedCredentialStore([StaticCredentials({}), NoCredentials()])


class TestDockerConfigStore(CredentialStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return DockerConfigStore(tmp_path / "config.json")


class TestDockerConfigStoreInAFolderToBeMade(CredentialStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        return DockerConfigStore(tmp_path / "home" / ".docker" / "config.json")
