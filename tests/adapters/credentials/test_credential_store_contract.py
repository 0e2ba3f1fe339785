from __future__ import annotations

import pytest

from oras_adapters.credential_stores import config_file_store
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_core.credentials import (
    ChainedCredentialStore,
    NoCredentials,
    RememberingCredentialStore,
    StaticCredentials,
    SuccessorCredentialStore,
)
from oras_core.testing.contracts.credentials import CredentialStoreContract
from support.credential_helpers import make_helper

SECRETS = ("open sesame", "swordfish")


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


class TestRememberingCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return RememberingCredentialStore(StaticCredentials({}))


class TestSuccessorCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return SuccessorCredentialStore(StaticCredentials({}), StaticCredentials({}))


class TestAConfigurationThatNamesAHelper(CredentialStoreContract):
    @pytest.fixture
    def store(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        make_helper(tmp_path, "working")
        (tmp_path / "config.json").write_text('{"credsStore": "working"}')
        return config_file_store(str(tmp_path / "config.json"))
